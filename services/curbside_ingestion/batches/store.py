"""The tables of batches. A batch's reports stand in lists, one for each part of it that came at once: a row
for each report would make every batch a tenth slower."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    Column,
    ForeignKey,
    Integer,
    Select,
    String,
    Table,
    func,
    select,
    true,
    update,
)

from curbside.storage.tables import UtcDateTime
from curbside.storage.writing import Writing
from curbside_ingestion.domain.batches import EXTRACTING, Outcome
from curbside_ingestion.domain.states import ReportState
from curbside_ingestion.store import METADATA, REPORTS, Session
from curbside_ingestion.waiting.store import EXTRACTIONS

BATCHES = Table(
    "batches",
    METADATA,
    Column("batch_id", String(32), primary_key=True),
    Column("tenant", String(64), nullable=False),
    Column("actor", String(128), nullable=False),
    Column("begun_at", UtcDateTime(), nullable=False),
    Column("received_at", UtcDateTime(), nullable=True),  # none while rows are still being taken in
    Column("problem", JSON(none_as_null=True), nullable=True),  # with the whole of an archive
)
PARTS = Table(
    "batch_parts",
    METADATA,
    Column("batch_id", String(32), ForeignKey("batches.batch_id"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("reports", JSON, nullable=False),  # ids, of those that were there already too
    Column("accepted", Integer, nullable=False),
    Column("already_there", Integer, nullable=False),
    Column("refused", Integer, nullable=False),
    Column("problems", JSON, nullable=False),  # of refused rows: [[row, problem], …], by row
    Column("last_row", Integer, nullable=False),
)


@dataclass(frozen=True)
class NewBatch:
    batch_id: str
    tenant: str
    actor: str
    begun_at: datetime
    received_at: datetime | None


@dataclass(frozen=True)
class NewPart:
    """`accepted` and `again` are ids of reports. `problems` are of rows in their order: of all that were
    `refused`, or of as many as are kept."""

    batch_id: str
    number: int
    accepted: Sequence[str]
    again: Sequence[str]
    refused: int
    problems: Sequence[tuple[int, dict[str, Any]]] = field(repr=False)


def add_batches(writing: Writing, batches: Sequence[NewBatch]) -> None:
    writing.add(BATCHES, [{**vars(batch), "problem": None} for batch in batches])


def add_parts(writing: Writing, parts: Sequence[NewPart]) -> None:
    writing.add(
        PARTS,
        [
            {
                "batch_id": part.batch_id,
                "number": part.number,
                "reports": [*part.accepted, *part.again],
                "accepted": len(part.accepted),
                "already_there": len(part.again),
                "refused": part.refused,
                "problems": [[row, problem] for row, problem in part.problems],
                "last_row": part.problems[-1][0] if part.problems else 0,
            }
            for part in parts
        ],
    )


async def end_batch(
    session: Session, batch_id: str, at: datetime, problem: dict[str, Any] | None = None
) -> None:
    """Note that all rows are taken in or refused."""
    await session.execute(
        update(BATCHES).where(BATCHES.c.batch_id == batch_id).values(received_at=at, problem=problem)
    )


async def outcomes(session: Session, batch_ids: Collection[str]) -> list[Outcome]:
    """What became of those of `batch_ids` that there are."""
    found = await session.execute(select(BATCHES).where(BATCHES.c.batch_id.in_(batch_ids)))
    return [await _outcome(session, batch) for batch in found.all()]


async def _outcome(session: Session, batch: Any) -> Outcome:
    sums = select(
        *(func.coalesce(func.sum(PARTS.c[name]), 0) for name in ("accepted", "already_there", "refused"))
    )
    accepted, already_there, refused = (
        await session.execute(sums.where(PARTS.c.batch_id == batch.batch_id))
    ).one()
    # From the members to their reports: by the tenant SQLite would walk through all that there are.
    members = _members(session, batch.batch_id).distinct().subquery()
    joined = members.join(REPORTS, REPORTS.c.report_id == members.c.value)
    joined = joined.outerjoin(EXTRACTIONS, EXTRACTIONS.c.report_id == REPORTS.c.report_id)
    counted = await session.execute(
        select(REPORTS.c.state, func.count(), func.count(EXTRACTIONS.c.report_id))
        .select_from(joined)
        .group_by(REPORTS.c.state)
    )
    states: dict[str, int] = {EXTRACTING: 0} | {state.value: 0 for state in ReportState}
    for state, count, extracting in counted:
        # A report that was amended while its document waited is what it is, and waits no more.
        waits = extracting if state == ReportState.PENDING else 0
        states[EXTRACTING] += waits
        states[state] += count - waits
    return Outcome(
        batch.batch_id,
        batch.tenant,
        batch.begun_at,
        batch.received_at,
        int(accepted),
        int(already_there),
        int(refused),
        states,
        batch.problem,
    )


def _members(session: Session, batch_id: str) -> Select[Any]:
    """The ids in the lists of a batch."""
    postgres = session.get_bind().dialect.name == "postgresql"
    listed = func.json_array_elements_text if postgres else func.json_each
    ids = listed(PARTS.c.reports).table_valued("value")
    return select(ids.c.value).select_from(PARTS.join(ids, true())).where(PARTS.c.batch_id == batch_id)


async def refused_rows(
    session: Session, batch_id: str, *, after: int, limit: int
) -> list[tuple[int, dict[str, Any]]]:
    """Up to `limit` refused rows behind the row `after`, with their problems."""
    found: list[tuple[int, dict[str, Any]]] = []
    parts = await session.stream(
        select(PARTS.c.problems)
        .where(PARTS.c.batch_id == batch_id, PARTS.c.last_row > after)
        .order_by(PARTS.c.last_row)
    )
    async for (problems,) in parts:
        found += [(row, problem) for row, problem in problems if row > after]
        if len(found) >= limit:
            break
    return found[:limit]
