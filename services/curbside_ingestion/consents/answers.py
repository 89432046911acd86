"""What is answered of consents: no word of who the patient is."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import TypedDict  # pydantic takes typing's from Python 3.12 on

from curbside_ingestion.domain.consents import ConsentScope, Decision

ConsentId = Annotated[str, Field(pattern="^[0-9a-f]{32}$", examples=["0198a3c2f5b00d1e2f3a4b5c6d7e8f90"])]
Moment = Annotated[str, Field(json_schema_extra={"format": "date-time"})]


class ConsentTaken(TypedDict):
    """The consent is durable."""

    consent_id: ConsentId
    decision: Decision
    effective_at: Moment
    ends_at: Moment | None
    training: Annotated[
        Literal["barred", "allowed"], Field(description="what holds now, of all that the patient said")
    ]
    patient_known: Annotated[bool, Field(description="whether any report came under this patient's id")]


class ConsentRow(ConsentTaken):
    row: Annotated[int, Field(ge=1, description="of the body; the first is 1")]


class ConsentShown(TypedDict):
    consent_id: ConsentId
    subject: Annotated[
        str, Field(description="a keyed hash of the patient, as in the events of their reports")
    ]
    source: str
    scope: ConsentScope
    decision: Decision
    effective_at: Moment
    ends_at: Moment | None
    received_at: Moment


class ConsentPage(TypedDict):
    consents: list[ConsentShown]
    next: Annotated[str | None, Field(description="the `after` of the page that follows; null on the last")]
