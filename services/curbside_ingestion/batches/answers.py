"""What is answered of batches: numbers, and the problems of what was refused."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import TypedDict  # pydantic takes typing's from Python 3.12 on

from curbside_ingestion.answers import BatchId, Moment, Problem, RejectedRow
from curbside_ingestion.domain.batches import EXTRACTING, Outcome
from curbside_ingestion.domain.states import ReportState

Count = Annotated[int, Field(ge=0)]


class BatchTold(TypedDict):
    """What became of the rows that came together, and where their reports are now."""

    batch_id: BatchId
    begun_at: Moment
    received_at: Annotated[
        Moment | None, Field(description="when the last row was taken in or refused; null before")
    ]
    finished: Annotated[bool, Field(description="nothing more happens by itself")]
    rows: Annotated[int, Field(ge=0, description="accepted, already there and refused")]
    accepted: Count
    already_there: Count
    refused: Count
    reports: Annotated[int, Field(ge=0, description="those of `states`")]
    states: Annotated[
        dict[Literal["extracting"] | ReportState, int],
        Field(description="`extracting` is pending, with a document whose text is still to be extracted"),
    ]
    problem: Annotated[Problem | None, Field(description="of an archive that could not be read to its end")]


class BatchShown(BatchTold):
    rejected: list[RejectedRow]
    next: Annotated[
        int | None, Field(description="the `after` of the next page of `rejected`; null on the last")
    ]


def told(outcome: Outcome) -> BatchTold:
    return {
        "batch_id": outcome.batch_id,
        "begun_at": outcome.begun_at.isoformat(),
        "received_at": outcome.received_at.isoformat() if outcome.received_at else None,
        "finished": outcome.finished,
        "rows": outcome.rows,
        "accepted": outcome.accepted,
        "already_there": outcome.already_there,
        "refused": outcome.refused,
        "reports": outcome.reports,
        "states": {
            "extracting": outcome.states[EXTRACTING],
            **{state: outcome.states[state] for state in ReportState},
        },
        "problem": dict(outcome.problem) if outcome.problem is not None else None,
    }
