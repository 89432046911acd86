"""Ingestion over HTTP: bodies in, outcomes out, every refusal as problem+json."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from typing import Annotated, Any, Final, Protocol

from fastapi import APIRouter, Query, Request
from fastapi.routing import APIRoute

from curbside.errors import BadInput, CurbsideError
from curbside.identity.http import CanIngest, CanReadReports
from curbside.identity.principal import Principal
from curbside.runtime.bodies import hold
from curbside_ingestion.answers import (
    AcceptedReport,
    AcceptedRow,
    BatchAnswer,
    LedgerShown,
    RejectedRow,
    ReportPage,
    ReportShown,
    ReportWithHistory,
    StateReached,
    TableRead,
)
from curbside_ingestion.bodies import FORM, media_type, read_form, whole_body
from curbside_ingestion.consents.answers import ConsentRow, ConsentTaken
from curbside_ingestion.consents.http import taken
from curbside_ingestion.described import MANY, MANY_ANSWERED, ONE, ONE_ANSWERED, SHOWN_ANSWERED, Source
from curbside_ingestion.described_tables import GivenColumns
from curbside_ingestion.domain.archives import ZIP
from curbside_ingestion.domain.columns import read_columns
from curbside_ingestion.domain.formats import Format, format_of
from curbside_ingestion.domain.problems import BadShape, NoGoodRow, UnsupportedType
from curbside_ingestion.domain.report import DEFAULT_SOURCE, Submission, read_source, read_submission
from curbside_ingestion.domain.rows import BadRow, GoodRow, Reader, Tables, read_object, read_rows
from curbside_ingestion.domain.states import ReportState
from curbside_ingestion.extraction.found import Kind
from curbside_ingestion.extraction.sniffing import is_archive, kind_of
from curbside_ingestion.handlers import Receive, ReportLedger, ShownReport
from curbside_ingestion.reading import Documents, placed
from curbside_ingestion.receiving import Accepted, Refused
from curbside_ingestion.settings import IngestionSettings

_FORMATS: Final = {
    **{format.value: format for format in Format},
    "application/ndjson": Format.NDJSON,
    "application/jsonl": Format.NDJSON,
}
# What a document may be declared as: it is told by its content.
_DOCUMENTS: Final = frozenset(
    {
        *(kind.value for kind in Kind),
        "application/octet-stream",
        "application/xml",
        "text/xml",
        "text/rtf",
        "image/tif",
        "x-application/hl7-v2+er7",
        "application/hl7-v2+er7",
    }
)
_SMALL: Final = 65_536  # bytes of JSON that are read without a thread


class Listed(Protocol):
    def __call__(
        self, principal: Principal, *, state: ReportState | None, after: str | None, limit: int
    ) -> Awaitable[list[ShownReport]]: ...


class NoteBatch(Protocol):
    def __call__(
        self,
        outcomes: Sequence[Accepted | Refused | BadRow],
        principal: Principal,
        begun_at: datetime,
        received_at: datetime,
    ) -> Awaitable[str]: ...


def routes(
    *,
    receive: Receive,
    documents: Documents,
    listed: Listed,
    show: Callable[[str, Principal], Awaitable[ShownReport]],
    ledger: Callable[[Principal], Awaitable[ReportLedger]],
    note: NoteBatch,
    settings: IngestionSettings,
    route_class: type[APIRoute] = APIRoute,
) -> APIRouter:
    router = APIRouter(prefix="/v1", route_class=route_class)

    @router.post("/reports", status_code=202, openapi_extra=ONE, responses=ONE_ANSWERED)
    async def submit(request: Request, principal: CanIngest) -> AcceptedReport | ConsentTaken:
        """Take in one report: as JSON, or as a document of any kind, by itself or as `file` of a form with
        what is known of it. 202 says that it is durable; a document's text is extracted then. `type` is what
        it became: `other` where no rule knows its name."""
        media, charset = media_type(request)
        row = await _one(request, media, charset, documents, settings)
        (outcome,) = await receive([row], media, principal)
        if isinstance(outcome, Refused):
            raise outcome.problem
        if outcome.taken is not None:
            return taken(outcome.taken)
        return {"report_id": outcome.report_id, "state": outcome.state, "type": outcome.type}

    @router.post("/reports:batch", status_code=202, openapi_extra=MANY, responses=MANY_ANSWERED)
    async def submit_batch(
        request: Request,
        principal: CanIngest,
        source: Source = DEFAULT_SOURCE,
        filename: Annotated[str | None, Query(max_length=200)] = None,
        columns: GivenColumns = None,
    ) -> BatchAnswer:
        """Take in the good reports of a body (rows, a ZIP or a form of files, a bundle, messages), and list
        the bad ones with their problems. `GET /ingestion/v1/batches/{batch_id}` says what becomes of them.
        Each is told by its content, and `tables` says which column of a table became which field."""
        begun_at = datetime.now(UTC)
        media, charset = media_type(request)
        tables = Tables(read_columns(columns) if columns else None)
        source = read_source(source)
        rows = await _many(request, media, charset, source, filename, documents, tables, settings)
        good = [row for row in rows if isinstance(row, GoodRow)]
        outcomes = await receive(good, media, principal)
        refused = [row for row in (*rows, *outcomes) if isinstance(row, BadRow | Refused)]
        refused.sort(key=lambda row: row.row)
        accepted = [outcome for outcome in outcomes if isinstance(outcome, Accepted)]
        batch_id = await note([*accepted, *refused], principal, begun_at, datetime.now(UTC))
        if not accepted:
            raise _nothing_accepted(refused, batch_id, tables)
        return {
            "batch_id": batch_id,
            "accepted": [_accepted(outcome) for outcome in accepted],
            "rejected": _rejected(refused),
            "tables": _tables(tables, quoting=True),
        }

    @router.get("/reports")
    async def list_reports(
        principal: CanReadReports,
        state: ReportState | None = None,
        after: Annotated[str | None, Query(max_length=32)] = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 100,
    ) -> ReportPage:
        """A page of reports; `next` is the `after` of the page that follows, null on the last."""
        page = await listed(principal, state=state, after=after, limit=limit)
        following = page[-1].report.report_id if len(page) == limit else None
        return {"reports": [_shown(report) for report in page], "next": following}

    @router.get("/reports/{report_id}", responses=SHOWN_ANSWERED)
    async def show_report(report_id: str, principal: CanReadReports) -> ReportWithHistory:
        """One report's state, how it came there, and what it was called; not its text."""
        shown = await show(report_id, principal)
        history: list[StateReached] = [
            {"state": moment.state, "at": moment.at.isoformat(), "reason": moment.reason or None}
            for moment in shown.history
        ]
        return {**_shown(shown), "history": history}

    @router.get("/ledger")
    async def show_ledger(principal: CanReadReports) -> LedgerShown:
        """Every report that was acknowledged, and the one state that each is in."""
        counted = await ledger(principal)
        return {"received": counted.received, "states": counted.states, "whole": counted.whole}

    return router


async def _one(
    request: Request, media: str, charset: str | None, documents: Documents, settings: IngestionSettings
) -> GoodRow:
    """The one report of a request. Raises its problem, or BadShape where there are several."""
    if media == FORM:
        form = await read_form(request, max_files=1)
        rows = await documents.rows(form.files[0].data, form.said, Tables(form.columns))
    elif media == Format.JSON:
        data = await whole_body(request)
        read = partial(read_submission, max_characters=settings.max_report_characters, closed=True)
        submission = await _read_json(data, read, charset)
        if submission is not None:
            return submission
        rows = await documents.rows(data, {})
    elif media in _DOCUMENTS:
        rows = await documents.rows(await whole_body(request), {})
    else:
        raise _unsupported(media, (Format.JSON, FORM, *_DOCUMENTS))
    if len(rows) != 1:
        raise BadShape(
            f"the body holds {len(rows)} reports",
            field="body",
            mend="Send it to /ingestion/v1/reports:batch.",
        )
    (row,) = rows
    if isinstance(row, BadRow):
        raise row.problem
    return row


async def _read_json(data: bytes, read: Reader, charset: str | None) -> GoodRow | None:
    """The report of a JSON body; None where it is FHIR, lines or a table, which are read as documents are."""
    if len(data) <= _SMALL:
        return _json_row(data, read, charset)
    return await asyncio.to_thread(_json_row, data, read, charset)


def _json_row(data: bytes, read: Reader, charset: str | None) -> GoodRow | None:
    fhir = False

    def read_unless_fhir(row: dict[str, object]) -> Submission:
        nonlocal fhir
        fhir = isinstance(row.get("resourceType"), str)
        return read({"text": "FHIR"} if fhir else row)

    try:
        submission = read_object(data, read_unless_fhir, charset=charset)
    except BadShape:
        if format_of(data.decode("utf-8", "replace")) in (Format.CSV, Format.NDJSON):
            return None
        raise
    return None if fhir else GoodRow(1, submission, data)


async def _many(
    request: Request,
    media: str,
    charset: str | None,
    source: str,
    filename: str | None,
    documents: Documents,
    tables: Tables,
    settings: IngestionSettings,
) -> list[GoodRow | BadRow]:
    said: dict[str, object] = {"source": source}
    if media == FORM:
        form = await read_form(request, max_files=settings.max_batch_reports)
        tables.columns = form.columns or tables.columns
        rows: list[GoodRow | BadRow] = []
        for number, file in enumerate(form.files, 1):
            tables.place = f"file {number}"
            found = await documents.rows_of_file(file.data, said | form.said, name=file.name, tables=tables)
            rows += [placed(row, len(rows) + index, tables.place) for index, row in enumerate(found, 1)]
            documents.check(len(rows))
        return rows
    format = _FORMATS.get(media)
    if format is None and media != ZIP and media not in _DOCUMENTS:
        raise _unsupported(media, (*Format, ZIP, FORM, *_DOCUMENTS))
    data = await whole_body(request)
    if media == ZIP or is_archive(data):
        return await documents.rows_of_archive(data, said, partial(hold, request), tables)
    if format is None:
        return await documents.rows(data, said, tables)
    if (kind := await asyncio.to_thread(_kind_beside, data)) is not None:
        return await documents.rows_as(kind, data, said, tables)
    read = partial(read_submission, source=source, max_characters=settings.max_report_characters)

    def read_batch() -> list[GoodRow | BadRow]:
        """The rows of a body, and one more than there may be where there are more."""
        found = read_rows(data, format, read, charset=charset, name=filename, tables=tables)
        return [*islice(found, settings.max_batch_reports + 1)]

    rows = await asyncio.to_thread(read_batch)
    documents.check(len(rows))
    return rows


def _kind_beside(data: bytes) -> Kind | None:
    """What a body that is declared as text, a table or JSON is instead; None where it may be that."""
    try:
        kind = kind_of(data)
    except BadInput:
        return None  # whoever reads it as declared says why it cannot be read
    return None if kind is Kind.TEXT else kind


def _unsupported(media: str, accepted: Sequence[str]) -> CurbsideError:
    return UnsupportedType(
        "Content-Type is not one read here" if media else "Content-Type is missing",
        field="Content-Type",
        mend=f"Send {', '.join(sorted(set(accepted)))}.",
    )


def _nothing_accepted(refused: Sequence[BadRow | Refused], batch_id: str, tables: Tables) -> CurbsideError:
    """The rows' own problem where all have the same, else NoGoodRow; with `rejected` and `tables`."""
    if len({row.problem.code for row in refused}) == 1:
        problem = refused[0].problem
    else:
        problem = NoGoodRow(
            f"none of the {len(refused)} rows could be accepted",
            field="body",
            mend="Mend the rows as `rejected` says.",
        )
    rejected = _rejected(refused)
    said: dict[str, Any] = {"rejected": rejected, "batch_id": batch_id}
    if tables.found:
        said["tables"] = _tables(tables, quoting=False)
    problem.extensions |= said
    return problem


def _tables(tables: Tables, *, quoting: bool) -> list[TableRead]:
    return [_table(place, table.told(quoting=quoting)) for place, table in tables.found]


def _table(place: str, told: Mapping[str, Any]) -> TableRead:
    return {"place": place, "columns": told["columns"], "by": told["by"], "ignored": told["ignored"]}


def _accepted(outcome: Accepted) -> AcceptedRow | ConsentRow:
    if outcome.taken is not None:
        return {"row": outcome.row, **taken(outcome.taken)}
    external_id = outcome.external_id.reveal() if outcome.external_id else None
    return {
        "row": outcome.row,
        "report_id": outcome.report_id,
        "external_id": external_id,
        "type": outcome.type,
    }


def _rejected(refused: Sequence[BadRow | Refused]) -> list[RejectedRow]:
    return [{"row": row.row, "problem": row.problem.problem()} for row in refused]


def _shown(shown: ShownReport) -> ReportShown:
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
