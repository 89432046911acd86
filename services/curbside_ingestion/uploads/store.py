"""The tables of uploads: how far each came, where its pieces lie, and how far it is worked through."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Integer,
    LargeBinary,
    String,
    Table,
    delete,
    func,
    insert,
    select,
    update,
)

from curbside.storage.blobs import BlobRef
from curbside.storage.tables import UtcDateTime
from curbside_ingestion.domain.uploads import UploadState
from curbside_ingestion.store import METADATA, Session

UPLOADS = Table(
    "uploads",
    METADATA,
    Column("upload_id", String(32), primary_key=True),
    Column("tenant", String(64), nullable=False),
    Column("actor", String(128), nullable=False),
    Column("source", String(64), nullable=False),
    Column("media", String(128), nullable=False),  # empty: its first bytes tell
    Column("length", BigInteger, nullable=False),
    Column("received", BigInteger, nullable=False),  # tus's offset
    Column("metadata", LargeBinary, nullable=False),  # sealed: a file's name stands in it
    Column("state", String(16), nullable=False, index=True),
    Column("created_at", UtcDateTime(), nullable=False),
    Column("expires_at", UtcDateTime(), nullable=False),
    Column("batch_id", String(32), nullable=True),  # from when all bytes are here
    # How far it is worked through: files or lines, rows of the batch, parts of it.
    Column("members", Integer, nullable=False),
    Column("rows", Integer, nullable=False),
    Column("parts", Integer, nullable=False),
    Column("attempts", Integer, nullable=False),  # since it last went on
    Column("claimant", String(32), nullable=True),
    Column("claimed_until", UtcDateTime(), nullable=True),
    Column("emptied", Boolean, nullable=False),  # its pieces are gone
)
PIECES = Table(
    "upload_pieces",
    METADATA,
    Column("upload_id", String(32), ForeignKey("uploads.upload_id"), primary_key=True),
    Column("start", BigInteger, primary_key=True, autoincrement=False),
    Column("blob", JSON, nullable=False),
)


@dataclass(frozen=True)
class Upload:
    """A row of `uploads`."""

    upload_id: str
    tenant: str
    actor: str
    source: str
    media: str
    length: int
    received: int
    metadata: bytes
    state: UploadState
    created_at: datetime
    expires_at: datetime
    batch_id: str | None = None
    members: int = 0
    rows: int = 0
    parts: int = 0
    attempts: int = 0
    claimant: str | None = None
    claimed_until: datetime | None = None
    emptied: bool = False


@dataclass(frozen=True)
class Piece:
    start: int
    blob: BlobRef


@dataclass(frozen=True)
class Progress:
    """How far an archive is worked through."""

    members: int
    rows: int
    parts: int


async def add(session: Session, upload: Upload) -> None:
    await session.execute(insert(UPLOADS).values(**{**vars(upload), "state": upload.state.value}))


async def find(session: Session, upload_id: str, tenant: str) -> Upload | None:
    one = select(UPLOADS).where(UPLOADS.c.upload_id == upload_id, UPLOADS.c.tenant == tenant)
    row = (await session.execute(one)).first()
    return _upload(row) if row is not None else None


async def count_open(session: Session, tenant: str, actor: str) -> int:
    unfinished = UPLOADS.c.state.in_([UploadState.OPEN.value, UploadState.COMPLETE.value])
    mine = UPLOADS.c.tenant == tenant, UPLOADS.c.actor == actor, unfinished
    return (await session.execute(select(func.count()).select_from(UPLOADS).where(*mine))).scalar_one()


async def count_pieces(session: Session, upload_id: str) -> int:
    mine = PIECES.c.upload_id == upload_id
    return (await session.execute(select(func.count()).select_from(PIECES).where(mine))).scalar_one()


async def extend(
    session: Session, upload_id: str, *, offset: int, pieces: Sequence[Piece], end: int, expires_at: datetime
) -> bool:
    """Add `pieces`, which go from `offset` to `end`; False where the upload is not there, or not open."""
    there = (
        UPLOADS.c.upload_id == upload_id,
        UPLOADS.c.received == offset,
        UPLOADS.c.state == UploadState.OPEN.value,
    )
    moved = update(UPLOADS).where(*there).values(received=end, expires_at=expires_at)
    if (await session.execute(moved.returning(UPLOADS.c.upload_id))).first() is None:
        return False
    rows = [{"upload_id": upload_id, "start": one.start, "blob": one.blob.to_json()} for one in pieces]
    if rows:
        await session.execute(insert(PIECES), rows)
    return True


async def complete(session: Session, upload_id: str, batch_id: str) -> None:
    await session.execute(
        update(UPLOADS)
        .where(UPLOADS.c.upload_id == upload_id)
        .values(state=UploadState.COMPLETE.value, batch_id=batch_id)
    )


async def close(session: Session, upload_id: str, state: UploadState, *, was: UploadState) -> bool:
    """Put it into `state`; False where it is not in the state that it `was` in."""
    moved = (
        update(UPLOADS)
        .where(UPLOADS.c.upload_id == upload_id, UPLOADS.c.state == was.value)
        .values(state=state.value, claimant=None, claimed_until=None)
    )
    return (await session.execute(moved.returning(UPLOADS.c.upload_id))).first() is not None


async def pieces_of(session: Session, upload_id: str) -> list[Piece]:
    rows = await session.execute(
        select(PIECES).where(PIECES.c.upload_id == upload_id).order_by(PIECES.c.start)
    )
    return [Piece(row.start, BlobRef.from_json(row.blob)) for row in rows]


async def next_to_work(
    session: Session, *, now: datetime, but_of: str | None, lock: bool = False
) -> Upload | None:
    """The oldest complete upload that nobody has in hand. With `but_of` only that claimant's hands
    count: there is no other process."""
    free = UPLOADS.c.claimed_until.is_(None) | (UPLOADS.c.claimed_until < now)
    if but_of is not None:
        free |= UPLOADS.c.claimant != but_of
    query = (
        select(UPLOADS)
        .where(UPLOADS.c.state == UploadState.COMPLETE.value, free)
        .order_by(UPLOADS.c.attempts, UPLOADS.c.created_at)
        .limit(1)
    )
    row = (await session.execute(query.with_for_update(skip_locked=True) if lock else query)).first()
    return _upload(row) if row is not None else None


async def claim(session: Session, upload_id: str, claimant: str, until: datetime, attempts: int) -> None:
    await session.execute(
        update(UPLOADS)
        .where(UPLOADS.c.upload_id == upload_id)
        .values(claimant=claimant, claimed_until=until, attempts=attempts)
    )


async def renew(session: Session, upload_id: str, claimant: str, until: datetime) -> bool:
    """False where another has it in hand, or it is worked through."""
    mine = UPLOADS.c.upload_id == upload_id, UPLOADS.c.claimant == claimant
    renewed = update(UPLOADS).where(*mine).values(claimed_until=until).returning(UPLOADS.c.upload_id)
    return (await session.execute(renewed)).first() is not None


async def go_on(session: Session, upload_id: str, claimant: str, progress: Progress) -> bool:
    """Note how far it came; False as `renew`."""
    mine = UPLOADS.c.upload_id == upload_id, UPLOADS.c.claimant == claimant
    moved = update(UPLOADS).where(*mine).values(**vars(progress), attempts=0).returning(UPLOADS.c.upload_id)
    return (await session.execute(moved)).first() is not None


async def expire(session: Session, now: datetime) -> None:
    over = UPLOADS.c.state == UploadState.OPEN.value, UPLOADS.c.expires_at <= now
    await session.execute(update(UPLOADS).where(*over).values(state=UploadState.EXPIRED.value))


async def to_empty(session: Session, limit: int) -> list[tuple[str, str]]:
    """Ids and tenants of uploads whose pieces are of no more use."""
    over = UPLOADS.c.state.not_in([UploadState.OPEN.value, UploadState.COMPLETE.value])
    query = select(UPLOADS.c.upload_id, UPLOADS.c.tenant).where(over, UPLOADS.c.emptied.is_(False))
    return [(upload_id, tenant) for upload_id, tenant in await session.execute(query.limit(limit))]


async def empty(session: Session, upload_id: str) -> None:
    await session.execute(delete(PIECES).where(PIECES.c.upload_id == upload_id))
    await session.execute(update(UPLOADS).where(UPLOADS.c.upload_id == upload_id).values(emptied=True))


async def ended_before(session: Session, before: datetime, limit: int) -> list[tuple[str, str]]:
    """Ids and tenants of emptied uploads to which nothing was added since `before`."""
    ended = UPLOADS.c.emptied.is_(True), UPLOADS.c.expires_at < before
    query = select(UPLOADS.c.upload_id, UPLOADS.c.tenant).where(*ended).limit(limit)
    return [(upload_id, tenant) for upload_id, tenant in await session.execute(query)]


async def forget(session: Session, upload_id: str) -> None:
    await session.execute(delete(UPLOADS).where(UPLOADS.c.upload_id == upload_id))


def _upload(row: Any) -> Upload:
    return Upload(**{**row._mapping, "state": UploadState(row.state)})
