"""Tables and queries: stored reports that may be asked about, the model in use, the opinions given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import JSON, Column, Integer, Row, String, Table, delete, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from curbside.storage.blobs import BlobRef
from curbside.storage.database import Transaction
from curbside.storage.tables import UtcDateTime, service_metadata

METADATA: Final = service_metadata()
REPORTS: Final = Table(
    "reports",
    METADATA,
    Column("report_id", String(64), primary_key=True),
    Column("tenant", String(64), nullable=False),
    Column("subject", String(64), nullable=False),
    Column("text", JSON, nullable=False),  # BlobRef in safe/
    Column("spans", Integer, nullable=False),
    Column("policy", String(128), nullable=False),
    Column("learned_at", UtcDateTime(), nullable=False),
)
# A mark of its own: it holds whichever of the two events comes first, and a late release brings nothing back.
DISPLACED: Final = Table(
    "displaced",
    METADATA,
    Column("tenant", String(64), primary_key=True),
    Column("report_id", String(64), primary_key=True),
    Column("state", String(16), nullable=False),  # superseded or withdrawn
    Column("displaced_by", String(64), nullable=False),
)
# Which version answers, by tenant and alias; under `waiting(alias)` the one that was promoted since, where
# the engine did not serve it then.
ALIASES: Final = Table(
    "aliases",
    METADATA,
    Column("tenant", String(64), primary_key=True),
    Column("alias", String(64), primary_key=True),
    Column("model_version", String(128), nullable=False),
    Column("base_model", String(256), nullable=False),
    Column("dataset_version", String(128), nullable=False),
    Column("promoted_at", UtcDateTime(), nullable=False),
)
OPINIONS: Final = Table(
    "opinions",
    METADATA,
    Column("opinion_id", String(64), primary_key=True),
    Column("tenant", String(64), nullable=False),
    Column("subject", String(64), nullable=False),
    Column("task", String(16), nullable=False),
    Column("model_version", String(128), nullable=False),
    Column("report_id", String(64), nullable=False),  # empty where the text was pasted
    Column("input", JSON, nullable=False),  # BlobRefs in safe/
    Column("output", JSON, nullable=False),
    Column("latency_ms", Integer, nullable=False),
    Column("asked_by", String(128), nullable=False),
    Column("given_at", UtcDateTime(), nullable=False),
)


async def find_report(session: AsyncSession, tenant: str, report_id: str) -> Row[Any] | None:
    query = select(REPORTS).where(REPORTS.c.report_id == report_id, REPORTS.c.tenant == tenant)
    return (await session.execute(query)).first()


@dataclass(frozen=True, slots=True)
class LearnedReport:
    """A row of `reports`, before it is learned."""

    report_id: str
    tenant: str
    subject: str
    text: BlobRef
    spans: int
    policy: str


async def keep_reports(transaction: Transaction, reports: Sequence[LearnedReport]) -> None:
    """Keep the reports, each named once, in place of what was known of them."""
    if not reports:
        return
    ids = [report.report_id for report in reports]
    await transaction.session.execute(delete(REPORTS).where(REPORTS.c.report_id.in_(ids)))
    now = datetime.now(UTC)
    await transaction.add(
        REPORTS,
        [
            {
                "report_id": report.report_id,
                "tenant": report.tenant,
                "subject": report.subject,
                "text": report.text.to_json(),
                "spans": report.spans,
                "policy": report.policy,
                "learned_at": now,
            }
            for report in reports
        ],
    )


async def forget_report(session: AsyncSession, tenant: str, report_id: str) -> None:
    await session.execute(delete(REPORTS).where(REPORTS.c.report_id == report_id, REPORTS.c.tenant == tenant))


async def displaced(session: AsyncSession, tenant: str, report_id: str) -> Row[Any] | None:
    query = select(DISPLACED).where(DISPLACED.c.report_id == report_id, DISPLACED.c.tenant == tenant)
    return (await session.execute(query)).first()


async def mark_displaced(
    session: AsyncSession, tenant: str, report_id: str, *, state: str, displaced_by: str
) -> None:
    """Mark the report, known here or not. Withdrawn stands over superseded, whichever is heard first."""
    marked = await displaced(session, tenant, report_id)
    if marked is not None and marked.state == "withdrawn":
        return
    here = (DISPLACED.c.tenant == tenant, DISPLACED.c.report_id == report_id)
    await session.execute(delete(DISPLACED).where(*here))
    await session.execute(
        insert(DISPLACED).values(tenant=tenant, report_id=report_id, state=state, displaced_by=displaced_by)
    )


def waiting(alias: str) -> str:
    return f"waiting:{alias}"


async def promoted(session: AsyncSession, tenant: str, alias: str) -> list[Row[Any]]:
    """What `alias` means, the newest first: two versions where the newer was not served when it came."""
    query = select(ALIASES).where(ALIASES.c.tenant == tenant, ALIASES.c.alias.in_([waiting(alias), alias]))
    return sorted(await session.execute(query), key=lambda row: bool(row.alias == alias))


async def point_alias(session: AsyncSession, tenant: str, alias: str, **values: Any) -> None:
    """Let `alias` mean another version from now on."""
    await drop_alias(session, tenant, alias)
    await session.execute(insert(ALIASES).values(tenant=tenant, alias=alias, **values))


async def drop_alias(session: AsyncSession, tenant: str, alias: str) -> None:
    await session.execute(delete(ALIASES).where(ALIASES.c.tenant == tenant, ALIASES.c.alias == alias))


async def add_opinion(session: AsyncSession, **values: Any) -> None:
    await session.execute(insert(OPINIONS).values(given_at=datetime.now(UTC), **values))
