"""What /openapi.json says of batches. The examples are made as answers are."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final

from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event

from curbside.runtime.openapi import Responses, refusals_as
from curbside_ingestion.answers import RejectedRow
from curbside_ingestion.batches.answers import BatchShown, told
from curbside_ingestion.domain.batches import EXTRACTING, Outcome
from curbside_ingestion.domain.problems import EmptyReport
from curbside_ingestion.domain.states import ReportState

STREAM: Final = "text/event-stream"
RETRY: Final = 2_000  # milliseconds after which a browser asks again
DONE: Final = ".done"

_NONE: Final = {state.value: 0 for state in ReportState}
_UNDER_WAY: Final = Outcome(
    batch_id="0192f3c4a1b2c3d4e5f60718293a4b5c",
    tenant="default",
    begun_at=datetime(2026, 3, 1, 13, 5, tzinfo=UTC),
    received_at=datetime(2026, 3, 1, 13, 5, 1, tzinfo=UTC),
    accepted=99,
    already_there=1,
    refused=2,
    states={EXTRACTING: 2} | _NONE | {"pending": 8, "deidentified": 90},
    problem=None,
)
_FINISHED: Final = replace(
    _UNDER_WAY, states={EXTRACTING: 0} | _NONE | {"deidentified": 99, "quarantined": 1}
)
_ROWS: Final[list[RejectedRow]] = [
    {
        "row": row,
        "problem": EmptyReport(
            "text is missing or empty", field="text", mend="Send the report's text."
        ).problem(),
    }
    for row in (7, 31)
]
_SHOWN: Final[BatchShown] = {**told(_UNDER_WAY), "rejected": _ROWS, "next": None}
_EVENTS: Final = b"".join(
    (
        format_sse_event(retry=RETRY),
        format_sse_event(event="progress", data_str=json.dumps(told(_UNDER_WAY)), id=_UNDER_WAY.mark),
        KEEPALIVE_COMMENT,
        format_sse_event(event="progress", data_str=json.dumps(told(_FINISHED)), id=_FINISHED.mark),
        format_sse_event(event="done", data_str=json.dumps(told(_FINISHED)), id=_FINISHED.mark + DONE),
    )
).decode()
_STREAMED: Final[dict[str, Any]] = {"schema": {"type": "string"}, "example": _EVENTS}
_WATCHED: Final[Responses] = {
    204: {"description": "`Last-Event-ID` is that of `done`: there is nothing more."},
    **refusals_as(
        {
            HTTPStatus.NOT_FOUND: "There is no such batch in this tenant.",
            HTTPStatus.TOO_MANY_REQUESTS: "This token watches as many batches as it may, or too much is "
            "under way: ask again after the seconds of Retry-After.",
        }
    ),
}
SHOWN_ANSWERED: Final[Responses] = {
    200: {
        "description": "What became of the batch; as server-sent events where Accept asks for them.",
        "content": {"application/json": {"example": _SHOWN}, STREAM: _STREAMED},
    },
    **_WATCHED,
}
FOLLOWED_ANSWERED: Final[Responses] = {
    200: {"description": "Server-sent events.", "content": {STREAM: _STREAMED}},
    **_WATCHED,
}
