"""Ingestion's tables and queries: receipts, reports, their histories. No column holds PHI in the clear."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    JSON,
    Column,
    Connection,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Select,
    String,
    Table,
    UniqueConstraint,
    bindparam,
    func,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from curbside.errors import Unavailable
from curbside.storage.blobs import BlobRef
from curbside.storage.database import Transaction
from curbside.storage.tables import BigId, UtcDateTime, service_metadata
from curbside.storage.writing import AMONG, Writing, among, listed
from curbside_ingestion.domain.revisions import ReportStatus, Revision
from curbside_ingestion.domain.states import ReportState

Session = AsyncSession
Blocking = Connection
METADATA = service_metadata()
# One row per acknowledged report, and never a change: what the ledger is checked against.
RECEIPTS = Table(
    "receipts",
    METADATA,
    Column("report_id", String(32), primary_key=True),
    Column("tenant", String(64), nullable=False, index=True),
    Column("received_at", UtcDateTime(), nullable=False),
)
REPORTS = Table(
    "reports",
    METADATA,
    Column("report_id", String(32), primary_key=True),
    Column("tenant", String(64), nullable=False),
    Column("source", String(64), nullable=False),
    # Keyed hash of source and external id, or of source and content where there is none.
    Column("identity", String(64), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("fingerprint", String(64), nullable=False),  # keyed hash of the content
    Column("subject", String(64), nullable=False),
    Column("external_id", LargeBinary, nullable=True),  # sealed, see handlers.py
    Column("type", String(40), nullable=False),
    Column("status", String(32), nullable=False),
    Column("authored_at", LargeBinary, nullable=True),  # sealed likewise
    Column("media_type", String(128), nullable=False),
    Column("exclusions", JSON, nullable=False),  # why it must never train
    Column("original", JSON, nullable=False),
    Column("text", JSON(none_as_null=True), nullable=True),  # none until a document's is extracted
    Column("quality", JSON(none_as_null=True), nullable=True),  # of text that was read off images
    Column("state", String(16), nullable=False),
    Column("reason", String(128), nullable=False),
    Column("received_at", UtcDateTime(), nullable=False),
    # Of two posts of one report at once, one inserts this and the other is told that it is there.
    UniqueConstraint("tenant", "identity", "revision", name="uq_reports_identity"),
    Index("ix_reports_state", "tenant", "state", "report_id"),
)
HISTORY = Table(
    "history",
    METADATA,
    Column("id", BigId, primary_key=True, autoincrement=True),
    Column("report_id", String(32), ForeignKey("reports.report_id"), nullable=False, index=True),
    Column("state", String(16), nullable=False),
    Column("at", UtcDateTime(), nullable=False),
    Column("reason", String(128), nullable=False),
)


# Whoever locks several reports does it in this order, so that no two wait for each other.
_LOCK_ORDER = REPORTS.c.tenant, REPORTS.c.identity, REPORTS.c.revision


class RevisionTaken(Unavailable):
    """Another transaction inserted the same revision first; judged again, this one is a duplicate."""

    code = "report.revision-taken"


@dataclass(frozen=True)
class NewReport:
    """A row of `reports`."""

    report_id: str
    tenant: str
    source: str
    identity: str
    revision: int
    fingerprint: str
    subject: str
    external_id: bytes | None
    type: str
    status: ReportStatus
    authored_at: bytes | None
    media_type: str
    exclusions: tuple[str, ...]
    original: BlobRef
    text: BlobRef | None
    quality: dict[str, object] | None
    state: ReportState
    reason: str
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Step:
    """A report that goes into a state."""

    report_id: str
    state: ReportState
    at: datetime
    reason: str


@dataclass(frozen=True)
class StoredReport:
    """What a reader is shown; `external_id` and `authored_at` are still sealed."""

    report_id: str
    tenant: str
    external_id: bytes | None
    source: str
    type: str
    status: ReportStatus
    authored_at: bytes | None
    state: ReportState
    reason: str
    received_at: datetime


@dataclass(frozen=True)
class Moment:
    state: ReportState
    at: datetime
    reason: str


def revisions(
    connection: Blocking, tenant: str, identities: Collection[str], *, lock: bool = False
) -> dict[str, list[Revision]]:
    """The revisions of `identities`, oldest first; with `lock` they stay so until the transaction ends."""
    query = _revisions(connection.dialect.name, lock)
    given = {"tenant": tenant, AMONG: listed(connection, identities)}
    found: dict[str, list[Revision]] = {}
    for row in connection.execute(query, given):
        state, status = ReportState(row.state), ReportStatus(row.status)
        found.setdefault(row.identity, []).append(
            Revision(row.report_id, row.revision, status, row.fingerprint, state)
        )
    return found


@cache
def _revisions(dialect: str, lock: bool) -> Select[Any]:
    """Built once: with each use, SQLAlchemy looks through all of a new one to find it compiled."""
    query = (
        select(
            REPORTS.c.identity,
            REPORTS.c.report_id,
            REPORTS.c.revision,
            REPORTS.c.status,
            REPORTS.c.fingerprint,
            REPORTS.c.state,
        )
        .where(REPORTS.c.tenant == bindparam("tenant"), among(dialect, REPORTS.c.identity))
        .order_by(*_LOCK_ORDER)
    )
    return query.with_for_update() if lock else query


def add_reports(writing: Writing, reports: Sequence[NewReport]) -> None:
    """Insert reports, receipts and first states. Raises RevisionTaken where another was first."""
    try:
        writing.add(REPORTS, [_row(report) for report in reports])
    except IntegrityError:
        raise RevisionTaken("the same report is being received by another request") from None
    writing.add(
        RECEIPTS,
        [
            {"report_id": report.report_id, "tenant": report.tenant, "received_at": report.received_at}
            for report in reports
        ],
    )
    writing.add(
        HISTORY,
        [
            {
                "report_id": report.report_id,
                "state": report.state.value,
                "at": report.received_at,
                "reason": report.reason,
            }
            for report in reports
        ],
    )


def _row(report: NewReport) -> dict[str, Any]:
    return {
        **vars(report),
        "status": report.status.value,
        "state": report.state.value,
        "exclusions": [*report.exclusions],
        "original": report.original.to_json(),
        "text": report.text.to_json() if report.text is not None else None,
    }


async def set_text(
    session: Session, report_id: str, text: BlobRef, quality: dict[str, object] | None
) -> None:
    await session.execute(
        update(REPORTS).where(REPORTS.c.report_id == report_id).values(text=text.to_json(), quality=quality)
    )


def move(writing: Writing, step: Step) -> str:
    """Take `step`; return the report's subject, under which it is announced."""
    subject: str = writing.connection.execute(
        update(REPORTS)
        .where(REPORTS.c.report_id == step.report_id)
        .values(state=step.state.value, reason=step.reason)
        .returning(REPORTS.c.subject)
    ).scalar_one()
    writing.add(HISTORY, [_moment(step)])
    return subject


async def move_all(transaction: Transaction, steps: Sequence[Step]) -> None:
    """Take `steps`, one after another: each stands in the history, and a report's last says where it is."""
    if not steps:
        return
    last = {step.report_id: step for step in steps}
    moving = update(REPORTS).where(REPORTS.c.report_id == bindparam("id"))
    await transaction.session.execute(
        moving.values(state=bindparam("new_state"), reason=bindparam("new_reason")),
        [
            {"id": step.report_id, "new_state": step.state.value, "new_reason": step.reason}
            for step in last.values()
        ],
    )
    await transaction.add(
        HISTORY,
        [_moment(step) for step in steps],
    )


async def states_of(session: Session, reports: Collection[str]) -> dict[tuple[str, str], ReportState]:
    """The states of `reports` by tenant and id, of those that are there; locked until the end."""
    query = select(REPORTS.c.tenant, REPORTS.c.report_id, REPORTS.c.state)
    found = await session.execute(
        query.where(REPORTS.c.report_id.in_(reports)).order_by(*_LOCK_ORDER).with_for_update()
    )
    return {(tenant, report_id): ReportState(state) for tenant, report_id, state in found}


async def find_reports(
    session: Session,
    tenant: str,
    *,
    report_id: str | None = None,
    state: ReportState | None = None,
    after: str | None = None,
    limit: int,
) -> list[StoredReport]:
    """Reports in the order of their ids, which is that of their arrival."""
    query = select(REPORTS).where(REPORTS.c.tenant == tenant)
    if report_id is not None:
        query = query.where(REPORTS.c.report_id == report_id)
    if state is not None:
        query = query.where(REPORTS.c.state == state.value)
    if after is not None:
        query = query.where(REPORTS.c.report_id > after)
    rows = await session.execute(query.order_by(REPORTS.c.report_id).limit(limit))
    return [
        StoredReport(
            report_id=row.report_id,
            tenant=row.tenant,
            external_id=row.external_id,
            source=row.source,
            type=row.type,
            status=ReportStatus(row.status),
            authored_at=row.authored_at,
            state=ReportState(row.state),
            reason=row.reason,
            received_at=row.received_at,
        )
        for row in rows
    ]


async def history_of(session: Session, report_id: str) -> Sequence[Moment]:
    rows = await session.execute(
        select(HISTORY).where(HISTORY.c.report_id == report_id).order_by(HISTORY.c.id)
    )
    return [Moment(ReportState(row.state), row.at, row.reason) for row in rows]


async def count_receipts(session: Session, tenant: str) -> int:
    count = select(func.count()).select_from(RECEIPTS).where(RECEIPTS.c.tenant == tenant)
    return (await session.execute(count)).scalar_one()


async def count_receipts_without_report(session: Session, tenant: str) -> int:
    missing = (
        select(func.count())
        .select_from(RECEIPTS.outerjoin(REPORTS, REPORTS.c.report_id == RECEIPTS.c.report_id))
        .where(RECEIPTS.c.tenant == tenant, REPORTS.c.report_id.is_(None))
    )
    return (await session.execute(missing)).scalar_one()


async def count_states(session: Session, tenant: str) -> dict[ReportState, int]:
    rows = await session.execute(
        select(REPORTS.c.state, func.count()).where(REPORTS.c.tenant == tenant).group_by(REPORTS.c.state)
    )
    counted = {ReportState(state): count for state, count in rows}
    return {state: counted.get(state, 0) for state in ReportState}


def _moment(step: Step) -> dict[str, Any]:
    return {"report_id": step.report_id, "state": step.state.value, "at": step.at, "reason": step.reason}
