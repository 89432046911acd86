"""Tables and queries: what became of each report, and where its texts lie. No patient text stands here."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    Row,
    String,
    Table,
    Text,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession

from curbside.storage.blobs import BlobRef
from curbside.storage.tables import UtcDateTime, service_metadata

Session = AsyncSession


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
    Column("authored_at", String(40), nullable=False),  # as it is passed on
    # Moved by the subject's offset, for the order of a patient's reports; it stays here.
    Column("moved_at", UtcDateTime(), nullable=True),
    Column("place", Text, nullable=False),  # domain/order.py; empty where nobody knows
    Column("exclusions", JSON, nullable=False),  # as received: why it must never train
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
    Index("ix_reports_subject", "tenant", "subject", "moved_at"),
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
    Column("key_mark", String(64), nullable=True),  # of the data key that sealed it
)

# Where opinions lie that may be turned back.
OPINIONS: Final = Table(
    "opinions",
    METADATA,
    Column("opinion_id", String(64), primary_key=True),
    Column("tenant", String(64), nullable=False),
    Column("subject", String(64), nullable=False),
    Column("output", JSON, nullable=False),  # BlobRef in safe/
)
REVERSALS: Final = Table(
    "reversals",
    METADATA,
    Column("reversal_id", String(32), primary_key=True),
    Column("tenant", String(64), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("target", String(64), nullable=False),
    Column("reason", String(64), nullable=False),  # code
    Column("state", String(16), nullable=False),
    Column("requested_by", String(128), nullable=False),
    Column("requested_at", UtcDateTime(), nullable=False),
    Column("expires_at", UtcDateTime(), nullable=False),
    Column("decided_by", String(128), nullable=True),
    Column("decided_at", UtcDateTime(), nullable=True),
    Column("read_at", UtcDateTime(), nullable=True),
    Index("ix_reversals_tenant", "tenant", "state"),
)


class ReversalState(StrEnum):
    REQUESTED = "requested"
    APPROVED = "approved"
    DECLINED = "declined"
    READ = "read"


# What ends by itself with its time.
OPEN: Final = (ReversalState.REQUESTED, ReversalState.APPROVED)


@dataclass(frozen=True)
class Reversal:
    """A request to turn one thing back, and what became of it. `expires_at` ends what is open."""

    reversal_id: str
    tenant: str
    kind: str
    target: str
    reason: str
    state: ReversalState
    requested_by: str
    requested_at: datetime
    expires_at: datetime
    decided_by: str | None = None
    decided_at: datetime | None = None
    read_at: datetime | None = None


@dataclass(frozen=True)
class KeptMapping:
    """Where a patient's mapping lies; `key_mark` is None of one that an earlier release kept."""

    ref: BlobRef
    key_mark: str | None


# What reviewers said of a report's spans. Where these are lies in phi/: offsets tell how long a name is.
CORRECTIONS: Final = Table(
    "corrections",
    METADATA,
    Column("report_id", String(64), primary_key=True),
    Column("tenant", String(64), nullable=False),
    Column("revision", Integer, nullable=False),  # counts the corrections
    Column("spans", JSON(none_as_null=True), nullable=True),  # BlobRef in phi/; null where none was corrected
    Column("complete", Boolean, nullable=False),  # whether every span of the report is as a reviewer wants it
    Column("updated_by", String(128), nullable=False),
    Column("updated_at", UtcDateTime(), nullable=False),
)


@dataclass(frozen=True)
class Correction:
    """`revision` 0 and no `spans` where nobody has corrected the report."""

    revision: int = 0
    spans: BlobRef | None = None


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


async def audited(session: AsyncSession, target: str, action: str) -> dict[str, Any] | None:
    """What the audit says of the last `action` on `target`; None where there was none."""
    audit = METADATA.tables["audit"]
    query = (
        select(audit.c.details)
        .where(audit.c.target == target, audit.c.action == action)
        .order_by(audit.c.sequence.desc())
        .limit(1)
    )
    return (await session.execute(query)).scalar_one_or_none()


async def acts(session: AsyncSession, tenant: str, *, after: int, target: str, limit: int) -> list[Row[Any]]:
    """The acts in the audit of `tenant` behind `after`, in order; with a `target`, those on it."""
    audit = METADATA.tables["audit"]
    columns = (audit.c[name] for name in ("sequence", "at", "actor", "action", "target", "details"))
    query = select(*columns).where(audit.c.tenant == tenant, audit.c.sequence > after)
    if target:
        query = query.where(audit.c.target == target)
    return list((await session.execute(query.order_by(audit.c.sequence).limit(limit))).all())


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
    """The quarantined reports of `tenant` by id, from the one behind `after`, each with its `revision`."""
    query = (
        select(REPORTS, func.coalesce(CORRECTIONS.c.revision, 0).label("revision"))
        .outerjoin(CORRECTIONS, CORRECTIONS.c.report_id == REPORTS.c.report_id)
        .where(REPORTS.c.tenant == tenant, REPORTS.c.state == State.QUARANTINED, REPORTS.c.report_id > after)
        .order_by(REPORTS.c.report_id)
        .limit(limit)
    )
    return list((await session.execute(query)).all())


async def find_correction(session: AsyncSession, report_id: str) -> Correction:
    query = select(CORRECTIONS).where(CORRECTIONS.c.report_id == report_id)
    found = (await session.execute(query)).first()
    if found is None:
        return Correction()
    return Correction(found.revision, BlobRef.from_json(found.spans) if found.spans else None)


async def correct(
    session: AsyncSession, report_id: str, tenant: str, *, after: int, spans: BlobRef, by: str, at: datetime
) -> bool:
    """Name `spans` as the report's, one revision behind `after`; False where it is no longer at that one.

    In a transaction that takes turns over the report.
    """
    if (await find_correction(session, report_id)).revision != after:
        return False
    values = {"revision": after + 1, "spans": spans.to_json(), "updated_by": by, "updated_at": at}
    await _keep_correction(session, report_id, tenant, complete=False, **values)
    return True


async def complete(session: AsyncSession, report_id: str, tenant: str, *, by: str, at: datetime) -> None:
    """Note that a reviewer holds the report's spans for right and whole: it belongs to the corpus."""
    await _keep_correction(session, report_id, tenant, complete=True, updated_by=by, updated_at=at)


async def _keep_correction(session: AsyncSession, report_id: str, tenant: str, **values: Any) -> None:
    done = await session.execute(
        update(CORRECTIONS).where(CORRECTIONS.c.report_id == report_id).values(**values)
    )
    if not done.rowcount:  # type: ignore[attr-defined]
        first = {"revision": 0, "spans": None} | values
        await session.execute(insert(CORRECTIONS).values(report_id=report_id, tenant=tenant, **first))


async def corpus(session: AsyncSession, tenant: str, *, after: str, limit: int) -> list[Row[Any]]:
    """The reports of `tenant` whose review is complete, by id, each with `spans` (None: as they were found).

    One that was amended or retracted is in none: it is to be read no more.
    """
    query = (
        select(REPORTS, CORRECTIONS.c.spans, CORRECTIONS.c.revision)
        .join(CORRECTIONS, CORRECTIONS.c.report_id == REPORTS.c.report_id)
        .where(
            REPORTS.c.tenant == tenant,
            REPORTS.c.state.in_((State.RELEASED, State.REJECTED)),
            REPORTS.c.report_id > after,
            CORRECTIONS.c.complete,
        )
        .order_by(REPORTS.c.report_id)
        .limit(limit)
    )
    return list((await session.execute(query)).all())


async def neighbours(
    session: AsyncSession, tenant: str, subject: str, at: datetime
) -> tuple[tuple[datetime, str] | None, tuple[datetime, str] | None]:
    """When the patient's reports next to `at` were written, and their places: not after it, and after it."""
    placed = select(REPORTS.c.moved_at, REPORTS.c.place).where(
        REPORTS.c.tenant == tenant, REPORTS.c.subject == subject, REPORTS.c.place != ""
    )
    earlier = placed.where(REPORTS.c.moved_at <= at).order_by(REPORTS.c.moved_at.desc()).limit(1)
    later = placed.where(REPORTS.c.moved_at > at).order_by(REPORTS.c.moved_at).limit(1)
    before = (await session.execute(earlier)).first()
    after = (await session.execute(later)).first()
    return before and (before.moved_at, before.place), after and (after.moved_at, after.place)


async def has_reports(session: AsyncSession, tenant: str, subject: str) -> bool:
    query = select(REPORTS.c.report_id).where(REPORTS.c.tenant == tenant, REPORTS.c.subject == subject)
    return (await session.execute(query.limit(1))).first() is not None


async def made(session: AsyncSession, tenant: str, subject: str) -> list[tuple[str, datetime]]:
    """The policy of each text that the patient's reports became, and when it was made."""
    query = select(REPORTS).where(REPORTS.c.tenant == tenant, REPORTS.c.subject == subject)
    rows = (await session.execute(query)).all()
    return [(row.policy, row.decided_at or row.handled_at) for row in rows if row.safe is not None]


async def find_mapping(session: AsyncSession, tenant: str, subject: str) -> KeptMapping | None:
    query = select(MAPPINGS).where(MAPPINGS.c.tenant == tenant, MAPPINGS.c.subject == subject)
    row = (await session.execute(query)).first()
    return None if row is None else KeptMapping(BlobRef.from_json(row.mapping), row.key_mark)


async def keep_mapping(
    session: AsyncSession, tenant: str, subject: str, mapping: KeptMapping, *, at: datetime
) -> None:
    """Name `mapping` as the patient's. In a transaction that takes turns over the patient."""
    values = {"mapping": mapping.ref.to_json(), "key_mark": mapping.key_mark, "updated_at": at}
    done = await session.execute(
        update(MAPPINGS).where(MAPPINGS.c.tenant == tenant, MAPPINGS.c.subject == subject).values(**values)
    )
    if not done.rowcount:  # type: ignore[attr-defined]
        await session.execute(insert(MAPPINGS).values(tenant=tenant, subject=subject, **values))


async def put_opinion(
    session: AsyncSession, opinion_id: str, tenant: str, subject: str, output: dict[str, Any]
) -> None:
    await session.execute(
        insert(OPINIONS).values(opinion_id=opinion_id, tenant=tenant, subject=subject, output=output)
    )


async def find_opinion(session: AsyncSession, opinion_id: str, tenant: str) -> Row[Any] | None:
    query = select(OPINIONS).where(OPINIONS.c.opinion_id == opinion_id, OPINIONS.c.tenant == tenant)
    return (await session.execute(query)).first()


async def add_reversal(session: AsyncSession, reversal: Reversal) -> None:
    await session.execute(insert(REVERSALS).values(**asdict(reversal)))


async def find_reversal(session: AsyncSession, reversal_id: str, tenant: str) -> Reversal | None:
    query = select(REVERSALS).where(REVERSALS.c.reversal_id == reversal_id, REVERSALS.c.tenant == tenant)
    row = (await session.execute(query)).first()
    return None if row is None else _reversal(row)


async def move_reversal(session: AsyncSession, reversal: Reversal, **values: Any) -> Reversal:
    """`reversal` with `values`. In a transaction that takes turns over it."""
    here = REVERSALS.c.reversal_id == reversal.reversal_id
    await session.execute(update(REVERSALS).where(here).values(**values))
    return replace(reversal, **values)


async def reversals(session: AsyncSession, tenant: str, *, after: str, limit: int) -> list[Reversal]:
    """Those of `tenant` by id, from the one behind `after`."""
    query = (
        select(REVERSALS)
        .where(REVERSALS.c.tenant == tenant, REVERSALS.c.reversal_id > after)
        .order_by(REVERSALS.c.reversal_id)
        .limit(limit)
    )
    return [_reversal(row) for row in await session.execute(query)]


def _reversal(row: Row[Any]) -> Reversal:
    return Reversal(**{**row._mapping, "state": ReversalState(row.state)})
