"""Ingestion over HTTP: bodies in, outcomes out, every refusal as problem+json."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Annotated, Any, Final, Protocol

from fastapi import APIRouter, Query, Request
from starlette.requests import ClientDisconnect

from curbside.errors import CurbsideError
from curbside.identity.http import CanIngest, CanReadReports
from curbside.identity.principal import Principal
from curbside_ingestion.domain.problems import (
    DigestMismatch,
    NoGoodRow,
    TooManyReports,
    TruncatedReport,
    UnsupportedType,
)
from curbside_ingestion.domain.report import (
    DEFAULT_SOURCE,
    FIELD_NAMES,
    KNOWN_NAMES,
    read_source,
    read_submission,
)
from curbside_ingestion.domain.revisions import ReportStatus
from curbside_ingestion.domain.rows import BadRow, Format, GoodRow, Reader, read_object, read_rows
from curbside_ingestion.domain.states import ReportState
from curbside_ingestion.handlers import ReportLedger, ShownReport
from curbside_ingestion.receiving import Accepted, Refused
from curbside_ingestion.settings import IngestionSettings

_FORMATS: Final = {
    **{format.value: format for format in Format},
    "application/ndjson": Format.NDJSON,
    "application/jsonl": Format.NDJSON,
}
_DIGESTS: Final = {"sha-256": hashlib.sha256, "sha-512": hashlib.sha512}
# Only for /docs: what these bodies must be is decided in domain/, for HTTP and files alike.
_REPORT_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["text"],
    "additionalProperties": False,
    "properties": {
        **{name: {"type": "string"} for name in FIELD_NAMES},
        "status": {"type": "string", "enum": list(ReportStatus), "default": "final"},
        "authored_at": {"type": "string", "format": "date-time"},
        "known": {
            "type": "object",
            "additionalProperties": False,
            "properties": {name: {"type": "array", "items": {"type": "string"}} for name in KNOWN_NAMES},
        },
    },
}


class Receive(Protocol):
    def __call__(
        self, rows: Sequence[GoodRow], format: Format, principal: Principal
    ) -> Awaitable[list[Accepted | Refused]]: ...


class Listed(Protocol):
    def __call__(
        self, principal: Principal, *, state: ReportState | None, after: str | None, limit: int
    ) -> Awaitable[list[ShownReport]]: ...


def routes(
    *,
    receive: Receive,
    listed: Listed,
    show: Callable[[str, Principal], Awaitable[ShownReport]],
    ledger: Callable[[Principal], Awaitable[ReportLedger]],
    settings: IngestionSettings,
) -> APIRouter:
    router = APIRouter(prefix="/v1")

    @router.post("/reports", status_code=202, openapi_extra=_body({"application/json": _REPORT_SCHEMA}))
    async def submit(request: Request, principal: CanIngest) -> dict[str, Any]:
        """Take in one report; 202 says that it is durable. `type` is what it became: `other` where no rule
        knows its name."""
        format, charset = _content_type(request, (Format.JSON,))
        data = await _whole_body(request)
        read = partial(read_submission, max_characters=settings.max_report_characters, closed=True)
        submission = await asyncio.to_thread(read_object, data, read, charset=charset)
        (outcome,) = await receive([GoodRow(1, submission, data)], format, principal)
        if isinstance(outcome, Refused):
            raise outcome.problem
        return {"report_id": outcome.report_id, "state": outcome.state, "type": outcome.type}

    @router.post("/batches", status_code=202, openapi_extra=_body({format: {} for format in Format}))
    async def submit_batch(
        request: Request,
        principal: CanIngest,
        source: str = DEFAULT_SOURCE,
        filename: Annotated[str | None, Query(max_length=200)] = None,
    ) -> dict[str, Any]:
        """Take in the good rows of a body, and list the bad ones with their problems."""
        format, charset = _content_type(request, tuple(Format))
        data = await _whole_body(request)
        read = partial(
            read_submission, source=read_source(source), max_characters=settings.max_report_characters
        )
        rows = await asyncio.to_thread(
            _read_batch, data, format, read, charset, filename, settings.max_batch_reports
        )
        good = [row for row in rows if isinstance(row, GoodRow)]
        outcomes = await receive(good, format, principal)
        refused = [row for row in (*rows, *outcomes) if isinstance(row, BadRow | Refused)]
        refused.sort(key=lambda row: row.row)
        accepted = [outcome for outcome in outcomes if isinstance(outcome, Accepted)]
        if not accepted:
            raise _nothing_accepted(refused)
        return {"accepted": [_accepted(outcome) for outcome in accepted], "rejected": _rejected(refused)}

    @router.get("/reports")
    async def list_reports(
        principal: CanReadReports,
        state: ReportState | None = None,
        after: Annotated[str | None, Query(max_length=32)] = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 100,
    ) -> dict[str, Any]:
        """A page of reports; `next` is the `after` of the page that follows, null on the last."""
        page = await listed(principal, state=state, after=after, limit=limit)
        following = page[-1].report.report_id if len(page) == limit else None
        return {"reports": [_shown(report) for report in page], "next": following}

    @router.get("/reports/{report_id}")
    async def show_report(report_id: str, principal: CanReadReports) -> dict[str, Any]:
        shown = await show(report_id, principal)
        history = [
            {"state": moment.state, "at": moment.at.isoformat(), "reason": moment.reason or None}
            for moment in shown.history
        ]
        return {**_shown(shown), "history": history}

    @router.get("/ledger")
    async def show_ledger(principal: CanReadReports) -> dict[str, Any]:
        """Every report that was acknowledged, and the one state that each is in."""
        counted = await ledger(principal)
        return {"received": counted.received, "states": counted.states, "whole": counted.whole}

    return router


def _read_batch(
    data: bytes, format: Format, read: Reader, charset: str | None, filename: str | None, limit: int
) -> list[GoodRow | BadRow]:
    rows: list[GoodRow | BadRow] = []
    for row in read_rows(data, format, read, charset=charset, name=filename):
        rows.append(row)
        if len(rows) > limit:
            raise TooManyReports(
                f"the body holds more than {limit} reports",
                field="body",
                mend="Send it in parts, or raise CURBSIDE_INGESTION__MAX_BATCH_REPORTS.",
            )
    return rows


def _content_type(request: Request, accepted: Sequence[Format]) -> tuple[Format, str | None]:
    """The format and the declared charset of the body; raises UnsupportedType naming what is read."""
    media, *parameters = request.headers.get("content-type", "").split(";")
    format = _FORMATS.get(media.strip().casefold())
    if format is None or format not in accepted:
        raise UnsupportedType(
            "Content-Type is missing" if not media.strip() else "Content-Type is not one read here",
            field="Content-Type",
            mend=f"Send {', '.join(accepted)}"
            + ("; other formats go to /ingestion/v1/batches." if len(accepted) == 1 else "."),
        )
    if request.headers.get("content-encoding", "identity").strip().casefold() != "identity":
        raise UnsupportedType(
            "the body is compressed", field="Content-Encoding", mend="Send it without compression."
        )
    declared = dict(parameter.strip().casefold().partition("=")[::2] for parameter in parameters)
    return format, declared.get("charset")


async def _whole_body(request: Request) -> bytes:
    """The body, checked against Content-Digest (RFC 9530) where the sender states one."""
    try:
        data = await request.body()
    except ClientDisconnect:
        raise TruncatedReport(
            "the connection ended before the body did", field="body", mend="Send it again."
        ) from None
    for member in request.headers.get("content-digest", "").split(","):
        name, _, value = member.strip().partition("=")
        if (make := _DIGESTS.get(name.casefold())) is not None:
            stated = value.strip().strip(":").encode("latin-1")
            if not hmac.compare_digest(base64.b64encode(make(data).digest()), stated):
                raise DigestMismatch(
                    "the body is not the one that Content-Digest was made of: it was cut off or changed",
                    field="Content-Digest",
                    mend="Send it again, whole.",
                )
    return data


def _nothing_accepted(refused: Sequence[BadRow | Refused]) -> CurbsideError:
    """The rows' own problem where all have the same, else NoGoodRow; with `rejected` either way."""
    if len({row.problem.code for row in refused}) == 1:
        problem = refused[0].problem
    else:
        problem = NoGoodRow(
            f"none of the {len(refused)} rows could be accepted",
            field="body",
            mend="Mend the rows as `rejected` says.",
        )
    rejected = _rejected(refused)
    problem.extensions["rejected"] = rejected
    return problem


def _accepted(outcome: Accepted) -> dict[str, Any]:
    external_id = outcome.external_id.reveal() if outcome.external_id else None
    return {
        "row": outcome.row,
        "report_id": outcome.report_id,
        "external_id": external_id,
        "type": outcome.type,
    }


def _rejected(refused: Sequence[BadRow | Refused]) -> list[dict[str, Any]]:
    return [{"row": row.row, "problem": row.problem.problem()} for row in refused]


def _shown(shown: ShownReport) -> dict[str, Any]:
    report = shown.report
    return {
        "report_id": report.report_id,
        "external_id": shown.external_id.reveal() if shown.external_id else None,
        "source": report.source,
        "type": report.type,
        "status": report.status,
        "authored_at": shown.authored_at.reveal() if shown.authored_at else None,
        "state": report.state,
        "reason": report.reason or None,
        "received_at": report.received_at.isoformat(),
    }


def _body(content: dict[str, dict[str, Any]]) -> dict[str, Any]:
    described = {str(media): {"schema": schema} for media, schema in content.items()}
    return {"requestBody": {"required": True, "content": described}}
