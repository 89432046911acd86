"""Acknowledged documents whose text is still to be extracted: their table and its queries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile

from sqlalchemy import Column, ForeignKey, Integer, LargeBinary, String, Table, delete, func, select, update

from curbside.storage.blobs import BlobRef
from curbside.storage.tables import UtcDateTime
from curbside.storage.writing import Writing
from curbside_ingestion.domain.states import ReportState
from curbside_ingestion.store import METADATA, REPORTS, Session

# A row goes with its report's next step.
EXTRACTIONS = Table(
    "extractions",
    METADATA,
    Column("report_id", String(32), ForeignKey("reports.report_id"), primary_key=True),
    Column("kind", String(128), nullable=False),  # extraction.found.Kind
    Column("said", LargeBinary, nullable=False),  # sealed: the row that its sender gave with it
    Column("attempts", Integer, nullable=False),
    Column("claimed_until", UtcDateTime(), nullable=True),
)


@dataclass(frozen=True)
class NewExtraction:
    """A row of `extractions`."""

    report_id: str
    kind: str
    said: bytes


@dataclass(frozen=True)
class Extraction:
    """A document that is being extracted, with what its report's record says."""

    report_id: str
    tenant: str
    subject: str
    kind: str
    said: bytes
    attempts: int
    original: BlobRef


def add(writing: Writing, extractions: Sequence[NewExtraction]) -> None:
    writing.add(
        EXTRACTIONS,
        [{**vars(extraction), "attempts": 0, "claimed_until": None} for extraction in extractions],
    )


async def claim(session: Session, *, now: datetime, until: datetime, limit: int) -> list[Extraction]:
    """The oldest documents that nobody has in hand, now in the caller's until `until`: of a patient only the
    oldest, so that they become texts in their order.

    One that was tried before goes alone, too: if it takes the service with it, no other shares its fate.
    """
    free = EXTRACTIONS.c.claimed_until.is_(None) | (EXTRACTIONS.c.claimed_until < now)
    older, of_older = EXTRACTIONS.alias("older"), REPORTS.alias("of_older")
    behind = (
        select(older.c.report_id)
        .join(of_older, of_older.c.report_id == older.c.report_id)
        .where(
            older.c.report_id < EXTRACTIONS.c.report_id,
            of_older.c.tenant == REPORTS.c.tenant,
            of_older.c.subject == REPORTS.c.subject,
        )
        .exists()
    )
    query = (
        select(EXTRACTIONS, REPORTS.c.tenant, REPORTS.c.subject, REPORTS.c.original)
        .join(REPORTS, REPORTS.c.report_id == EXTRACTIONS.c.report_id)
        .where(free, ~behind)
        # What waits for Tesseract comes behind what does not.
        .order_by(EXTRACTIONS.c.claimed_until.asc().nulls_first(), EXTRACTIONS.c.report_id)
        .limit(limit)
    )
    found = (await session.execute(query.with_for_update(of=EXTRACTIONS, skip_locked=True))).all()
    fresh = [*takewhile(lambda row: not row.attempts, found)]
    found = fresh or found[:1]
    claimed = [row.report_id for row in found]
    await session.execute(
        update(EXTRACTIONS)
        .where(EXTRACTIONS.c.report_id.in_(claimed))
        .values(claimed_until=until, attempts=EXTRACTIONS.c.attempts + 1)
    )
    return [
        Extraction(
            row.report_id,
            row.tenant,
            row.subject,
            row.kind,
            row.said,
            row.attempts + 1,
            BlobRef.from_json(row.original),
        )
        for row in found
    ]


async def unclaim(session: Session, *, tried_less_than: int) -> None:
    """Let claims go: for a service that has just started and is the only one. One that was tried as often
    keeps its lease: it may be what ended the service, or whatever does must have time to pass."""
    few = EXTRACTIONS.c.attempts < tried_less_than
    await session.execute(update(EXTRACTIONS).where(few).values(claimed_until=None))


async def forgive(session: Session, report_id: str, *, until: datetime) -> None:
    """Let the last attempt not count; none follows before `until`, so that others have their turn."""
    one = EXTRACTIONS.c.report_id == report_id
    forgiven = {"attempts": EXTRACTIONS.c.attempts - 1, "claimed_until": until}
    await session.execute(update(EXTRACTIONS).where(one).values(**forgiven))


async def end(session: Session, report_id: str) -> ReportState | None:
    """Take the document out of the queue; its report's state, or None where it was out of it already."""
    gone = await session.execute(
        delete(EXTRACTIONS).where(EXTRACTIONS.c.report_id == report_id).returning(EXTRACTIONS.c.report_id)
    )
    if gone.first() is None:
        return None
    state = select(REPORTS.c.state).where(REPORTS.c.report_id == report_id).with_for_update()
    return ReportState((await session.execute(state)).scalar_one())


async def count_waiting(session: Session) -> int:
    return (await session.execute(select(func.count()).select_from(EXTRACTIONS))).scalar_one()
