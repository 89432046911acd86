"""The table of idempotency keys: what was asked under each, and the answer, sealed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Column, LargeBinary, String, Table, delete, insert, select, update

from curbside.storage.tables import UtcDateTime
from curbside_ingestion.store import METADATA, Session

KEYS = Table(
    "idempotency_keys",
    METADATA,
    Column("key_hash", String(64), primary_key=True),  # keyed: of tenant, principal and key
    Column("tenant", String(64), nullable=False),
    Column("fingerprint", String(64), nullable=False),  # keyed: of the request
    # The process that has the request in hand, and until when it is believed to.
    Column("claimant", String(32), nullable=False),
    Column("claimed_until", UtcDateTime(), nullable=False),
    Column("answer", LargeBinary, nullable=True),  # sealed: external ids stand in it
    Column("expires_at", UtcDateTime(), nullable=False, index=True),
)


@dataclass(frozen=True)
class StoredKey:
    fingerprint: str
    claimant: str
    claimed_until: datetime
    answer: bytes | None
    expires_at: datetime


async def find(session: Session, key_hash: str) -> StoredKey | None:
    row = (await session.execute(select(KEYS).where(KEYS.c.key_hash == key_hash))).first()
    if row is None:
        return None
    return StoredKey(row.fingerprint, row.claimant, row.claimed_until, row.answer, row.expires_at)


async def claim(
    session: Session,
    key_hash: str,
    tenant: str,
    *,
    fingerprint: str,
    claimant: str,
    until: datetime,
    expires_at: datetime,
) -> None:
    """Put the key into `claimant`'s hands, in place of whatever stands there."""
    await session.execute(delete(KEYS).where(KEYS.c.key_hash == key_hash))
    await session.execute(
        insert(KEYS).values(
            key_hash=key_hash,
            tenant=tenant,
            fingerprint=fingerprint,
            claimant=claimant,
            claimed_until=until,
            answer=None,
            expires_at=expires_at,
        )
    )


async def extend(session: Session, key_hash: str, claimant: str, until: datetime) -> None:
    await session.execute(
        update(KEYS)
        .where(KEYS.c.key_hash == key_hash, KEYS.c.claimant == claimant)
        .values(claimed_until=until)
    )


async def keep_answer(session: Session, key_hash: str, claimant: str, answer: bytes) -> None:
    await session.execute(
        update(KEYS).where(KEYS.c.key_hash == key_hash, KEYS.c.claimant == claimant).values(answer=answer)
    )


async def forget(session: Session, key_hash: str, claimant: str) -> None:
    await session.execute(delete(KEYS).where(KEYS.c.key_hash == key_hash, KEYS.c.claimant == claimant))


async def forget_expired(session: Session, now: datetime, limit: int) -> int:
    """Delete up to `limit` keys whose time is over; return how many."""
    over = select(KEYS.c.key_hash).where(KEYS.c.expires_at <= now).limit(limit)
    gone = await session.execute(delete(KEYS).where(KEYS.c.key_hash.in_(over)).returning(KEYS.c.key_hash))
    return len(gone.all())
