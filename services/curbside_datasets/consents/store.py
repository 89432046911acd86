"""The table of consents, and who is barred by them. One row for each, as its last change left it."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    LargeBinary,
    String,
    Table,
    and_,
    insert,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession

from curbside.storage.keys import KeyRing
from curbside.storage.periods import DamagedPeriod, open_period
from curbside_datasets.domain.consents import Decision, Standing, decision_of
from curbside_datasets.metadata import METADATA

log = logging.getLogger(__name__)

CONSENTS: Final = Table(
    "consents",
    METADATA,
    Column("tenant", String(64), primary_key=True),
    Column("consent_id", String(64), primary_key=True),
    Column("subject", String(128), nullable=False),
    Column("sequence", BigInteger, nullable=False),  # of the subject's changes: a greater one is newer
    Column("scope", String(64), nullable=False),
    Column("decision", String(16), nullable=False),  # domain.consents.Decision
    # When it begins and ends, sealed (curbside.storage.periods); what does not open bars.
    Column("period", LargeBinary, nullable=False),
    Index("ix_consents_subject", "tenant", "subject"),
)
# Rows at a time: of a hundred thousand few are in memory, and the loop waits for 10 ms of them.
_AT_ONCE: Final = 1000
_NAMED: Final = 20


@dataclass(frozen=True)
class Change:
    """A consent as one event says that it is now."""

    tenant: str
    consent_id: str
    subject: str
    sequence: int
    scope: str
    decision: Decision
    period: bytes


async def put_consent(session: AsyncSession, change: Change) -> None:
    """Insert, or replace what an earlier change left; one that is older than that changes nothing."""
    values = {**vars(change), "decision": change.decision.value}
    here = and_(CONSENTS.c.tenant == change.tenant, CONSENTS.c.consent_id == change.consent_id)
    found = (await session.execute(select(CONSENTS.c.sequence).where(here))).scalar_one_or_none()
    if found is None:
        await session.execute(insert(CONSENTS).values(**values))
    elif found < change.sequence:
        await session.execute(update(CONSENTS).where(here).values(**values))


async def barred_subjects(session: AsyncSession, tenant: str, at: datetime, ring: KeyRing) -> frozenset[str]:
    """The subjects of `tenant` who deny training at that moment, and those of whom nobody can tell, because a
    period does not open: a line in the log names it. All are read, for nothing tells which hold."""
    standing, damaged = Standing(at), list[str]()
    said = CONSENTS.c.consent_id, CONSENTS.c.subject, CONSENTS.c.scope, CONSENTS.c.decision, CONSENTS.c.period
    counting = CONSENTS.c.tenant == tenant, CONSENTS.c.decision != Decision.VOID.value
    query = select(*said).where(*counting).execution_options(yield_per=_AT_ONCE)
    async for rows in (await session.stream(query)).partitions():
        for consent_id, subject, scope, decision, period in rows:
            try:
                begin, end = open_period(period, tenant=tenant, consent_id=consent_id, ring=ring)
            except DamagedPeriod:
                standing.doubt(subject)
                damaged.append(consent_id)
            else:
                standing.tell(subject, scope, decision_of(decision), begin, end)
    if damaged:
        log.error(
            "the periods of consents do not open: their patients are barred",
            extra={"tenant": tenant, "count": len(damaged), "consents": " ".join(damaged[:_NAMED])},
        )
    return standing.barred()
