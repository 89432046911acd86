"""What intake answers over HTTP, as models: /openapi.json shows them, and FastAPI writes them."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from curbside.runtime.openapi import PROBLEM_SCHEMA
from curbside_ingestion.domain.revisions import ReportStatus
from curbside_ingestion.domain.states import ReportState

ReportId = Annotated[str, Field(pattern="^[0-9a-f]{32}$", examples=["0198a3c2f5b00d1e2f3a4b5c6d7e8f90"])]
Moment = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
Row = Annotated[int, Field(ge=1, description="of the body; the first is 1")]


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True)


class AcceptedReport(_Answer):
    """The report is durable."""

    report_id: ReportId
    state: ReportState
    type: str = Field(
        description="what it became: `other` where no rule knows its name, empty where it has none"
    )


class AcceptedRow(_Answer):
    row: Row
    report_id: ReportId
    external_id: str | None
    type: str


class RejectedRow(_Answer):
    row: Row
    problem: Annotated[dict[str, Any], WithJsonSchema(PROBLEM_SCHEMA)]


class BatchAnswer(_Answer):
    """The accepted rows are durable; the others were not taken in."""

    accepted: list[AcceptedRow]
    rejected: list[RejectedRow]


class ReportShown(_Answer):
    report_id: ReportId
    external_id: str | None
    source: str
    type: str
    status: ReportStatus
    authored_at: Moment | None
    state: ReportState
    reason: str | None = Field(description="why it is in that state, as a code")
    received_at: Moment


class StateReached(_Answer):
    state: ReportState
    at: Moment
    reason: str | None


class ReportWithHistory(ReportShown):
    history: list[StateReached]


class ReportPage(_Answer):
    reports: list[ReportShown]
    next: str | None = Field(description="the `after` of the page that follows; null on the last")


class LedgerShown(_Answer):
    received: Annotated[int, Field(ge=0)]
    states: dict[ReportState, int]
    whole: bool = Field(description="every report that was acknowledged is in exactly one state")
