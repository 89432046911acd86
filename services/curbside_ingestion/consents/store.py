"""The table of consents and its queries. Keyed hashes and sealed times; who the patient is stands nowhere."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Index, Integer, LargeBinary, String, Table, UniqueConstraint, select, update

from curbside.storage.database import Transaction
from curbside.storage.keys import KeyRing
from curbside.storage.periods import open_period, seal_period
from curbside.storage.tables import UtcDateTime
from curbside_ingestion.domain.consents import Decision, Recorded
from curbside_ingestion.store import METADATA, Session

CONSENTS = Table(
    "consents",
    METADATA,
    Column("consent_id", String(32), primary_key=True),
    Column("tenant", String(64), nullable=False),
    Column("subject", String(64), nullable=False),
    Column("sequence", Integer, nullable=False),  # of the subject's changes
    Column("identity", String(64), nullable=True),  # keyed hash of source and reference
    Column("fingerprint", String(64), nullable=False),  # keyed hash of the content
    Column("source", String(64), nullable=False),
    Column("scope", String(32), nullable=False),  # domain.consents.ConsentScope
    Column("decision", String(16), nullable=False),  # domain.consents.Decision
    Column("period", LargeBinary, nullable=False),  # when it holds, sealed: curbside.storage.periods
    Column("received_at", UtcDateTime(), nullable=False),
    UniqueConstraint("tenant", "subject", "sequence", name="uq_consents_subject"),
    Index("ix_consents_page", "tenant", "consent_id"),
)


@dataclass(frozen=True)
class StoredConsent:
    """A row of `consents`."""

    tenant: str
    subject: str
    source: str
    scope: str
    received_at: datetime
    said: Recorded


async def consents_of(
    session: Session, tenant: str, subjects: Collection[str], ring: KeyRing
) -> dict[str, list[Recorded]]:
    """Every consent of `subjects`, the last changed last. Raises DamagedPeriod."""
    found: dict[str, list[Recorded]] = {subject: [] for subject in subjects}
    of_them = CONSENTS.c.tenant == tenant, CONSENTS.c.subject.in_(subjects)
    for row in await session.execute(select(CONSENTS).where(*of_them).order_by(CONSENTS.c.sequence)):
        found[row.subject].append(_recorded(row, ring))
    return found


async def add_consents(transaction: Transaction, consents: Sequence[StoredConsent], ring: KeyRing) -> None:
    await transaction.add(
        CONSENTS,
        [
            {
                "consent_id": one.said.consent_id,
                "tenant": one.tenant,
                "subject": one.subject,
                "sequence": one.said.sequence,
                "identity": one.said.identity,
                "fingerprint": one.said.fingerprint,
                "source": one.source,
                "scope": one.scope,
                "decision": one.said.decision.value,
                "period": sealed(one.said, one.tenant, ring),
                "received_at": one.received_at,
            }
            for one in consents
        ],
    )


async def void_consent(session: Session, consent_id: str, sequence: int) -> None:
    await session.execute(
        update(CONSENTS)
        .where(CONSENTS.c.consent_id == consent_id)
        .values(decision=Decision.VOID.value, sequence=sequence)
    )


async def find_consents(
    session: Session,
    tenant: str,
    *,
    ring: KeyRing,
    consent_id: str | None = None,
    after: str | None = None,
    limit: int,
) -> list[StoredConsent]:
    """Consents in the order of their ids, which is that of their arrival. Raises DamagedPeriod."""
    query = select(CONSENTS).where(CONSENTS.c.tenant == tenant)
    if consent_id is not None:
        query = query.where(CONSENTS.c.consent_id == consent_id)
    if after is not None:
        query = query.where(CONSENTS.c.consent_id > after)
    rows = await session.execute(query.order_by(CONSENTS.c.consent_id).limit(limit))
    return [
        StoredConsent(row.tenant, row.subject, row.source, row.scope, row.received_at, _recorded(row, ring))
        for row in rows
    ]


def sealed(said: Recorded, tenant: str, ring: KeyRing) -> bytes:
    """When `said` begins and ends, as it is kept and announced."""
    return seal_period(said.effective_at, said.ends_at, tenant=tenant, consent_id=said.consent_id, ring=ring)


def _recorded(row: Any, ring: KeyRing) -> Recorded:
    begin, end = open_period(row.period, tenant=row.tenant, consent_id=row.consent_id, ring=ring)
    return Recorded(
        consent_id=row.consent_id,
        sequence=row.sequence,
        decision=Decision(row.decision),
        effective_at=begin,
        ends_at=end,
        identity=row.identity,
        fingerprint=row.fingerprint,
    )
