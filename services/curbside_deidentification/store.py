"""Tables and queries: what became of each report, and where its texts lie. No patient text stands here."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import JSON, Boolean, Column, Float, Integer, Row, String, Table, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from curbside.storage.blobs import BlobRef
from curbside.storage.tables import UtcDateTime, service_metadata


class State(StrEnum):
    DEIDENTIFIED = "deidentified"
    QUARANTINED = "quarantined"
    RELEASED = "released"
    REJECTED = "rejected"
    SUPERSEDED = "superseded"
    WITHDRAWN = "withdrawn"


METADATA: Final = service_metadata()
REPORTS: Final = Table(
    "reports",
    METADATA,
    Column("report_id", String(64), primary_key=True),
    Column("tenant", String(64), nullable=False),
    Column("subject", String(64), nullable=False),
    Column("state", String(16), nullable=False, index=True),
    Column("reason", String(64), nullable=True),  # code, of the quarantine
    Column("report_type", String(64), nullable=False),
    Column("source", String(128), nullable=False),
    Column("status", Integer, nullable=False),  # contracts.v1.ReportStatus
    Column("authored_at", String(40), nullable=False),  # moved by the subject's offset
    Column("spans_by_category", JSON, nullable=False),
    Column("risk", Float, nullable=False),
    Column("policy", String(128), nullable=False),
    Column("releasable", Boolean, nullable=False),  # whether there is a replaced text to release
    Column("original", JSON, nullable=False),  # BlobRef in phi/: the document as it came
    Column("result", JSON, nullable=True),  # BlobRef in phi/: replaced text and spans, for the reviewer
    Column("safe", JSON, nullable=True),  # BlobRef in safe/
    Column("handled_at", UtcDateTime(), nullable=False),
    Column("decided_at", UtcDateTime(), nullable=True),
    Column("decided_by", String(128), nullable=True),
)
# Reports that an amendment or a retraction displaced. Apart from REPORTS, because no order holds between
# topics: this may be heard of before the report is.
DISPLACED: Final = Table(
    "displaced",
    METADATA,
    Column("report_id", String(64), primary_key=True),
    Column("state", String(16), nullable=False),  # superseded, or withdrawn, which stays
    Column("displaced_by", String(64), nullable=False),
    Column("displaced_at", UtcDateTime(), nullable=False),
)

# Where each patient's surrogates and their originals lie. Only those have one whose policy makes any.
MAPPINGS: Final = Table(
    "mappings",
    METADATA,
    Column("tenant", String(64), primary_key=True),
    Column("subject", String(64), primary_key=True),
    Column("mapping", JSON, nullable=False),  # BlobRef in phi/
    Column("updated_at", UtcDateTime(), nullable=False),
)


async def find(session: AsyncSession, report_id: str, tenant: str | None = None) -> Row[Any] | None:
    query = select(REPORTS).where(REPORTS.c.report_id == report_id)
    if tenant is not None:
        query = query.where(REPORTS.c.tenant == tenant)
    return (await session.execute(query)).first()


async def add(session: AsyncSession, **values: Any) -> None:
    await session.execute(insert(REPORTS).values(**values))


async def decide(
    session: AsyncSession, report_id: str, state: State, *, by: str, at: datetime, **values: Any
) -> bool:
    """Move a quarantined report to `state`; False where it is no longer quarantined."""
    done = await session.execute(
        update(REPORTS)
        .where(REPORTS.c.report_id == report_id, REPORTS.c.state == State.QUARANTINED)
        .values(state=state, decided_by=by, decided_at=at, **values)
    )
    return bool(done.rowcount)  # type: ignore[attr-defined]


async def displace(
    session: AsyncSession, report_id: str, tenant: str, state: State, *, by: str, at: datetime
) -> None:
    """Note that the report is displaced, and move its row where there is one; `withdrawn` stays."""
    already = await displaced_as(session, report_id)
    if already in (State.WITHDRAWN, state):
        return
    values = {"state": state, "displaced_by": by, "displaced_at": at}
    if already is None:
        await session.execute(insert(DISPLACED).values(report_id=report_id, **values))
    else:
        await session.execute(update(DISPLACED).where(DISPLACED.c.report_id == report_id).values(**values))
    await session.execute(
        update(REPORTS)
        .where(REPORTS.c.report_id == report_id, REPORTS.c.tenant == tenant)
        .values(state=state)
    )


async def displaced_as(session: AsyncSession, report_id: str) -> State | None:
    found = await session.execute(select(DISPLACED.c.state).where(DISPLACED.c.report_id == report_id))
    state = found.scalar_one_or_none()
    return None if state is None else State(state)


async def done_with(session: AsyncSession, report_id: str) -> bool:
    """Whether the report was handled before, or is displaced."""
    return await find(session, report_id) is not None or await displaced_as(session, report_id) is not None


async def quarantined(session: AsyncSession, tenant: str, *, after: str, limit: int) -> list[Row[Any]]:
    """The quarantined reports of `tenant` by id, from the one behind `after`."""
    query = (
        select(REPORTS)
        .where(REPORTS.c.tenant == tenant, REPORTS.c.state == State.QUARANTINED, REPORTS.c.report_id > after)
        .order_by(REPORTS.c.report_id)
        .limit(limit)
    )
    return list((await session.execute(query)).all())


async def find_mapping(session: AsyncSession, tenant: str, subject: str) -> BlobRef | None:
    query = select(MAPPINGS.c.mapping).where(MAPPINGS.c.tenant == tenant, MAPPINGS.c.subject == subject)
    found = (await session.execute(query)).scalar_one_or_none()
    return None if found is None else BlobRef.from_json(found)


async def keep_mapping(
    session: AsyncSession, tenant: str, subject: str, mapping: BlobRef, *, at: datetime
) -> None:
    """Name `mapping` as the patient's. In a transaction that takes turns over the patient."""
    values = {"mapping": mapping.to_json(), "updated_at": at}
    done = await session.execute(
        update(MAPPINGS).where(MAPPINGS.c.tenant == tenant, MAPPINGS.c.subject == subject).values(**values)
    )
    if not done.rowcount:  # type: ignore[attr-defined]
        await session.execute(insert(MAPPINGS).values(tenant=tenant, subject=subject, **values))
