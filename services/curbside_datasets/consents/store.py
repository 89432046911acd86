"""The table of consents, and who is barred by them. One row for each, as its last change left it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    FromClause,
    Index,
    String,
    Table,
    and_,
    exists,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession

from curbside.storage.tables import UtcDateTime
from curbside_datasets.domain.consents import TRAINING, Decision
from curbside_datasets.metadata import METADATA

CONSENTS: Final = Table(
    "consents",
    METADATA,
    Column("tenant", String(64), primary_key=True),
    Column("consent_id", String(64), primary_key=True),
    Column("subject", String(128), nullable=False),
    Column("sequence", BigInteger, nullable=False),  # of the subject's changes: a greater one is newer
    Column("scope", String(64), nullable=False),
    Column("decision", String(16), nullable=False),  # domain.consents.Decision
    Column("effective_at", UtcDateTime(), nullable=False),
    Column("ends_at", UtcDateTime(), nullable=True),
    Index("ix_consents_subject", "tenant", "subject"),
)


@dataclass(frozen=True)
class Change:
    """A consent as one event says that it is now."""

    tenant: str
    consent_id: str
    subject: str
    sequence: int
    scope: str
    decision: Decision
    effective_at: datetime
    ends_at: datetime | None


async def put_consent(session: AsyncSession, change: Change) -> None:
    """Insert, or replace what an earlier change left; one that is older than that changes nothing."""
    values = {**vars(change), "decision": change.decision.value}
    here = and_(CONSENTS.c.tenant == change.tenant, CONSENTS.c.consent_id == change.consent_id)
    found = (await session.execute(select(CONSENTS.c.sequence).where(here))).scalar_one_or_none()
    if found is None:
        await session.execute(insert(CONSENTS).values(**values))
    elif found < change.sequence:
        await session.execute(update(CONSENTS).where(here).values(**values))


def is_barred(reports: FromClause, at: datetime) -> ColumnElement[bool]:
    """Whether the subject of a row of `reports` denies training at that moment.

    Of what is in force the latest counts, and of two as late the denial. A use that this release does not
    know may be training.
    """
    denial, permission = CONSENTS.alias("denial"), CONSENTS.alias("permission")

    def in_force(consent: Any) -> ColumnElement[bool]:
        return and_(
            consent.c.tenant == reports.c.tenant,
            consent.c.subject == reports.c.subject,
            consent.c.effective_at <= at,
            or_(consent.c.ends_at.is_(None), consent.c.ends_at > at),
        )

    overruled = exists().where(
        in_force(permission),
        permission.c.decision == Decision.PERMIT.value,
        permission.c.scope == TRAINING,
        permission.c.effective_at > denial.c.effective_at,
    )
    return exists().where(in_force(denial), denial.c.decision == Decision.DENY.value, ~overruled)
