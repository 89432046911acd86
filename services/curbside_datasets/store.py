"""Datasets' tables and queries. Text lies in blobs; the tables hold references, states and counts."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    JSON,
    Column,
    Index,
    Integer,
    String,
    Table,
    Text,
    and_,
    insert,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession

from curbside.contracts.tasks import Task
from curbside.storage.blobs import BlobRef
from curbside.storage.keys import KeyRing
from curbside.storage.tables import UtcDateTime
from curbside_datasets.consents.store import barred_subjects
from curbside_datasets.domain.mining import Reason
from curbside_datasets.metadata import METADATA as METADATA

REPORTS = Table(
    "reports",
    METADATA,
    Column("report_id", String(64), primary_key=True),
    Column("tenant", String(64), nullable=False),
    Column("subject", String(128), nullable=False),
    Column("type", String(64), nullable=False),
    Column("source", String(128), nullable=False),
    Column("status", Integer, nullable=False),  # events.ReportStatus
    Column("authored_at", String(40), nullable=False),
    Column("policy", String(128), nullable=False),  # of de-identification
    Column("legal_basis", String(32), nullable=False),  # LegalBasis, or what a later release says
    Column("subjects", String(16), nullable=False),  # Subjects
    Column("place", Text, nullable=False),  # among the subject's reports; empty where nobody knows
    # What a version calls the report. Random: `report_id` begins with the time of its arrival, and what is
    # released may tell no date, 45 CFR 164.514(b)(2)(i)(C).
    Column("code", String(32), nullable=False, unique=True),
    # The de-identified text, in safe/; null where the report never trains.
    Column("text", JSON(none_as_null=True), nullable=True),
    Column("tasks", JSON, nullable=False),  # tasks that the report has an answer for
    Column("reason", String(64), nullable=False),  # why it yields no example; empty where it does
    Column("mined_at", UtcDateTime(), nullable=False),
    Index("ix_reports_tenant", "tenant", "reason"),
)
# A mark of its own, which readers join: it holds whichever of two events comes first, and whatever
# replaces the report's row later.
DISPLACED = Table(
    "displaced",
    METADATA,
    Column("tenant", String(64), primary_key=True),
    Column("report_id", String(64), primary_key=True),
    Column("state", String(16), nullable=False),  # Reason.SUPERSEDED or Reason.WITHDRAWN
    Column("marked_at", UtcDateTime(), nullable=False),
)
_AT_ONCE = 1000  # rows, of which few are in memory and for which the loop waits
_MARKED = REPORTS.outerjoin(
    DISPLACED, and_(DISPLACED.c.tenant == REPORTS.c.tenant, DISPLACED.c.report_id == REPORTS.c.report_id)
)
SUBJECT_CODES = Table(
    "subject_codes",
    METADATA,
    Column("tenant", String(64), primary_key=True),
    Column("subject", String(128), primary_key=True),
    Column("code", String(32), nullable=False, unique=True),
)
BUILDS = Table(
    "builds",
    METADATA,
    Column("build_id", String(32), primary_key=True),
    Column("tenant", String(64), nullable=False),
    Column("name", String(128), nullable=False),
    Column("recipe", JSON, nullable=False),
    Column("actor", String(128), nullable=False),
    Column("state", String(16), nullable=False),
    Column("done", Integer, nullable=False),
    Column("total", Integer, nullable=False),
    Column("version", String(32), nullable=True),
    Column("problem", JSON, nullable=True),
    Column("created_at", UtcDateTime(), nullable=False),
    Index("ix_builds_state", "state", "created_at"),
)
VERSIONS = Table(
    "versions",
    METADATA,
    Column("version", String(32), primary_key=True),
    Column("tenant", String(64), nullable=False),
    Column("name", String(128), nullable=False),
    Column("manifest", JSON, nullable=False),
    Column("manifest_blob", JSON, nullable=False),
    Column("created_at", UtcDateTime(), nullable=False),
)


class BuildState(StrEnum):
    QUEUED = "queued"
    BUILDING = "building"
    PUBLISHED = "published"
    FAILED = "failed"


@dataclass(frozen=True)
class StoredReport:
    report_id: str
    tenant: str
    subject: str
    type: str
    source: str
    status: int
    authored_at: str
    policy: str
    text: BlobRef | None  # de-identified; none where the report never trains
    tasks: tuple[str, ...]
    reason: str
    legal_basis: str
    subjects: str
    place: str
    code: str = ""  # made when the report is first put


@dataclass(frozen=True)
class Build:
    build_id: str
    tenant: str
    name: str
    recipe: Mapping[str, Any]
    actor: str
    state: BuildState
    done: int
    total: int
    version: str | None
    problem: Mapping[str, Any] | None


@dataclass(frozen=True)
class Yields:
    """What each report of a tenant yields by itself, by the default recipe and as it was learned.

    Only a build knows which comparisons have a prior: its manifest counts what was published.
    """

    reports: int
    with_examples: int
    without_examples: Mapping[str, int]
    by_task: Mapping[str, int]


async def put_report(session: AsyncSession, report: StoredReport) -> None:
    """Insert, or replace what an earlier event said of the same report."""
    values = {
        "tenant": report.tenant,
        "subject": report.subject,
        "type": report.type,
        "source": report.source,
        "status": report.status,
        "authored_at": report.authored_at,
        "policy": report.policy,
        "text": report.text.to_json() if report.text else None,
        "tasks": list(report.tasks),
        "reason": report.reason,
        "legal_basis": report.legal_basis,
        "subjects": report.subjects,
        "place": report.place,
        "mined_at": datetime.now(UTC),
    }
    changed = await session.execute(
        update(REPORTS).where(REPORTS.c.report_id == report.report_id).values(**values)
    )
    if not changed.rowcount:  # type: ignore[attr-defined]  # a CursorResult, which the stub calls Result
        code = f"r-{secrets.token_hex(8)}"
        await session.execute(insert(REPORTS).values(report_id=report.report_id, code=code, **values))


async def mark_displaced(session: AsyncSession, tenant: str, report_id: str, state: Reason) -> None:
    """Mark the report, known or not. Withdrawn stands over superseded, whichever is heard first."""
    here = and_(DISPLACED.c.tenant == tenant, DISPLACED.c.report_id == report_id)
    values = {"state": state.value, "marked_at": datetime.now(UTC)}
    if (await session.execute(select(DISPLACED.c.state).where(here))).first() is None:
        await session.execute(insert(DISPLACED).values(tenant=tenant, report_id=report_id, **values))
    elif state is Reason.WITHDRAWN:
        await session.execute(update(DISPLACED).where(here).values(**values))


async def _opted_out(session: AsyncSession, tenant: str, ring: KeyRing) -> frozenset[str]:
    """Who just now denies training."""
    return await barred_subjects(session, tenant, datetime.now(UTC), ring)


async def all_reports(session: AsyncSession, tenant: str, ring: KeyRing) -> list[StoredReport]:
    """Every report: one that yields nothing by itself may still be a comparison's prior. One that was
    displaced, or whose patient opted out, has no text, and that as its reason."""
    opted_out = await _opted_out(session, tenant, ring)
    rows = await session.execute(
        select(REPORTS, DISPLACED.c.state)
        .select_from(_MARKED)
        .where(REPORTS.c.tenant == tenant)
        .order_by(REPORTS.c.report_id)
    )
    reports = []
    for row in rows:
        barred_by = row.state or (Reason.OPTED_OUT.value if row.subject in opted_out else None)
        reports.append(_report(row, barred_by))
    return reports


def _report(row: Any, barred_by: str | None) -> StoredReport:
    """`barred_by` is why nothing may learn from it any more, or just now."""
    return StoredReport(
        report_id=row.report_id,
        tenant=row.tenant,
        subject=row.subject,
        type=row.type,
        source=row.source,
        status=row.status,
        authored_at=row.authored_at,
        policy=row.policy,
        text=BlobRef.from_json(row.text) if row.text and not barred_by else None,
        tasks=() if barred_by else tuple(row.tasks),
        reason=barred_by or row.reason,
        legal_basis=row.legal_basis,
        subjects=row.subjects,
        place=row.place,
        code=row.code,
    )


async def readable_reports(session: AsyncSession, tenant: str, ring: KeyRing) -> set[str]:
    """The codes of the reports that a build may read at this moment."""
    opted_out = await _opted_out(session, tenant, ring)
    readable = REPORTS.c.text.is_not(None), DISPLACED.c.state.is_(None)
    query = select(REPORTS.c.code, REPORTS.c.subject).select_from(_MARKED)
    rows = await session.execute(query.where(REPORTS.c.tenant == tenant, *readable))
    return {code for code, subject in rows if subject not in opted_out}


async def report_of_code(session: AsyncSession, tenant: str, code: str) -> str | None:
    """The id of the report that versions call `code`."""
    query = select(REPORTS.c.report_id).where(REPORTS.c.tenant == tenant, REPORTS.c.code == code)
    return (await session.execute(query)).scalar_one_or_none()


async def count_yields(session: AsyncSession, tenant: str, ring: KeyRing) -> Yields:
    opted_out = await _opted_out(session, tenant, ring)
    by_reason: Counter[str] = Counter()
    by_task = dict.fromkeys((task.value for task in Task), 0)
    judged = select(REPORTS.c.subject, REPORTS.c.tasks, REPORTS.c.reason, DISPLACED.c.state)
    query = judged.select_from(_MARKED).where(REPORTS.c.tenant == tenant)
    rows = await session.stream(query.execution_options(yield_per=_AT_ONCE))
    async for some in rows.partitions():
        for subject, tasks, reason, displaced in some:
            barred_by = displaced or (Reason.OPTED_OUT.value if subject in opted_out else "")
            by_reason[barred_by or reason] += 1
            if not (barred_by or reason):
                for name in tasks:
                    by_task[name] += 1
    return Yields(
        reports=sum(by_reason.values()),
        with_examples=by_reason.pop("", 0),
        without_examples=by_reason,
        by_task=by_task,
    )


async def subject_codes(session: AsyncSession, tenant: str, subjects: Sequence[str]) -> dict[str, str]:
    """The random code of each subject, made where there is none: a dataset never carries the subject."""
    rows = await session.execute(
        select(SUBJECT_CODES.c.subject, SUBJECT_CODES.c.code).where(SUBJECT_CODES.c.tenant == tenant)
    )
    codes: dict[str, str] = {row.subject: row.code for row in rows}
    fresh = [
        {"tenant": tenant, "subject": subject, "code": f"s-{secrets.token_hex(6)}"}
        for subject in sorted(set(subjects) - codes.keys())
    ]
    if fresh:
        await session.execute(insert(SUBJECT_CODES), fresh)
        codes |= {row["subject"]: row["code"] for row in fresh}
    return codes


async def add_build(session: AsyncSession, build: Build) -> None:
    await session.execute(
        insert(BUILDS).values(
            build_id=build.build_id,
            tenant=build.tenant,
            name=build.name,
            recipe=dict(build.recipe),
            actor=build.actor,
            state=build.state,
            done=build.done,
            total=build.total,
            version=build.version,
            problem=build.problem,
            created_at=datetime.now(UTC),
        )
    )


async def find_build(session: AsyncSession, tenant: str, build_id: str) -> Build | None:
    row = (
        await session.execute(select(BUILDS).where(BUILDS.c.build_id == build_id, BUILDS.c.tenant == tenant))
    ).first()
    return _build(row) if row else None


async def next_build(session: AsyncSession) -> Build | None:
    """The oldest unfinished build: one left at `building` by a killed process is begun again."""
    row = (
        await session.execute(
            select(BUILDS)
            .where(BUILDS.c.state.in_((BuildState.QUEUED, BuildState.BUILDING)))
            .order_by(BUILDS.c.created_at)
            .limit(1)
        )
    ).first()
    return _build(row) if row else None


async def set_build(session: AsyncSession, build_id: str, **values: Any) -> None:
    """Of one that has not ended: what has ended stays as it is."""
    under_way = BUILDS.c.state.in_([BuildState.QUEUED, BuildState.BUILDING])
    await session.execute(update(BUILDS).where(BUILDS.c.build_id == build_id, under_way).values(**values))


async def add_version(
    session: AsyncSession, *, tenant: str, name: str, manifest: Mapping[str, Any], blob: BlobRef
) -> bool:
    """Insert; False where the same version is there already."""
    found = await session.execute(select(VERSIONS.c.version).where(VERSIONS.c.version == manifest["version"]))
    if found.first() is not None:
        return False
    await session.execute(
        insert(VERSIONS).values(
            version=manifest["version"],
            tenant=tenant,
            name=name,
            manifest=dict(manifest),
            manifest_blob=blob.to_json(),
            created_at=datetime.now(UTC),
        )
    )
    return True


async def list_manifests(session: AsyncSession, tenant: str) -> list[dict[str, Any]]:
    rows = await session.execute(
        select(VERSIONS.c.manifest).where(VERSIONS.c.tenant == tenant).order_by(VERSIONS.c.created_at)
    )
    return [dict(manifest) for (manifest,) in rows]


async def find_manifest(session: AsyncSession, tenant: str, version: str) -> dict[str, Any] | None:
    row = (
        await session.execute(
            select(VERSIONS.c.manifest).where(VERSIONS.c.version == version, VERSIONS.c.tenant == tenant)
        )
    ).first()
    return dict(row.manifest) if row else None


def _build(row: Any) -> Build:
    return Build(
        build_id=row.build_id,
        tenant=row.tenant,
        name=row.name,
        recipe=row.recipe,
        actor=row.actor,
        state=BuildState(row.state),
        done=row.done,
        total=row.total,
        version=row.version,
        problem=row.problem,
    )
