"""What intake answers over HTTP: /openapi.json shows these shapes, and FastAPI holds answers to them.

Dictionaries and not models: making a hundred models of a batch's rows takes longer than writing them.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, WithJsonSchema
from typing_extensions import TypedDict  # pydantic takes typing's from Python 3.12 on

from curbside.runtime.openapi import PROBLEM_SCHEMA
from curbside_ingestion.consents.answers import ConsentRow
from curbside_ingestion.domain.revisions import ReportStatus
from curbside_ingestion.domain.states import ReportState

ReportId = Annotated[str, Field(pattern="^[0-9a-f]{32}$", examples=["0198a3c2f5b00d1e2f3a4b5c6d7e8f90"])]
Moment = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
BatchId = Annotated[str, Field(pattern="^[0-9a-f]{32}$", examples=["0192f3c4a1b2c3d4e5f60718293a4b5c"])]
Problem = Annotated[dict[str, Any], WithJsonSchema(PROBLEM_SCHEMA)]
Row = Annotated[int, Field(ge=1, description="of the body; the first is 1")]


class AcceptedReport(TypedDict):
    """The report is durable."""

    report_id: ReportId
    state: ReportState
    type: Annotated[
        str,
        Field(description="what it became: `other` where no rule knows its name, empty where it has none"),
    ]


class AcceptedRow(TypedDict):
    row: Row
    report_id: ReportId
    external_id: str | None
    type: str


class RejectedRow(TypedDict):
    row: Row
    problem: Problem


Column = Annotated[
    str | int, Field(description="its header, or its number where it has none; the first is 1")
]


class TableRead(TypedDict):
    """Which column of a table became which field. It is told to the sender, and kept nowhere."""

    place: Annotated[str, Field(description="`body`, or which file of a ZIP or form", examples=["file 3"])]
    columns: Annotated[
        dict[str, list[Column]],
        Field(description="each field of a report, `known.names` and the like among them, and its columns"),
    ]
    by: Annotated[
        dict[str, Literal["given", "name", "content"]],
        Field(
            description="how each field found them: the sender gave them, by their headers, by what they hold"
        ),
    ]
    ignored: Annotated[list[Column], Field(description="columns that no field took")]


class BatchAnswer(TypedDict):
    """The accepted rows are durable; the others were not taken in."""

    batch_id: Annotated[BatchId, Field(description="under which /ingestion/v1/batches tells of them")]
    accepted: list[AcceptedRow | ConsentRow]
    rejected: list[RejectedRow]
    tables: Annotated[list[TableRead], Field(description="every table that was read, in the body's order")]


class ReportShown(TypedDict):
    report_id: ReportId
    external_id: str | None
    source: str
    type: str
    status: ReportStatus
    authored_at: Moment | None
    state: ReportState
    reason: Annotated[str | None, Field(description="why it is in that state, as a code")]
    received_at: Moment


class StateReached(TypedDict):
    state: ReportState
    at: Moment
    reason: str | None


class ReportWithHistory(ReportShown):
    history: list[StateReached]


class ReportPage(TypedDict):
    reports: list[ReportShown]
    next: Annotated[str | None, Field(description="the `after` of the page that follows; null on the last")]


class LedgerShown(TypedDict):
    received: Annotated[int, Field(ge=0)]
    states: dict[ReportState, int]
    whole: Annotated[bool, Field(description="every report that was acknowledged is in exactly one state")]
