"""Commands of batches: note what came together, and tell what became of it."""

from __future__ import annotations

import secrets
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from curbside.identity.principal import Principal
from curbside.storage.database import Database
from curbside.storage.writing import Writing
from curbside_ingestion.batches import store
from curbside_ingestion.domain.batches import Outcome, UnknownBatch
from curbside_ingestion.domain.problems import DuplicateReport
from curbside_ingestion.domain.rows import BadRow
from curbside_ingestion.receiving import Accepted, Refused

Noted = tuple[store.NewBatch, store.NewPart]
Note = Callable[[Sequence[Noted]], Awaitable[Sequence[str]]]
_FIRST: Final = 1


@dataclass(frozen=True)
class ShownBatch:
    """`refused` is a page of the rows that were not taken in; there is another where `next_row` says so."""

    outcome: Outcome
    refused: Sequence[tuple[int, dict[str, Any]]]
    next_row: int | None


def part_of(
    batch_id: str, number: int, outcomes: Sequence[Accepted | Refused | BadRow], *, most: int | None = None
) -> store.NewPart:
    """What is kept of `outcomes`: which reports, and why the other rows are none, of at most `most` rows."""
    accepted = [one.report_id for one in outcomes if isinstance(one, Accepted) and one.taken is None]
    others = [one for one in outcomes if not isinstance(one, Accepted)]
    again = [one for one in others if isinstance(one.problem, DuplicateReport)]
    refused = [one for one in others if not isinstance(one.problem, DuplicateReport)]
    return store.NewPart(
        batch_id,
        number,
        accepted,
        [str(one.problem.extensions["report_id"]) for one in again],
        len(refused),
        [(one.row, one.problem.problem()) for one in sorted(refused, key=lambda one: one.row)[:most]],
    )


async def note_batch(
    outcomes: Sequence[Accepted | Refused | BadRow],
    principal: Principal,
    begun_at: datetime,
    received_at: datetime,
    *,
    note: Note,
) -> str:
    """Keep what became of one request's rows, before it is answered; the batch's id."""
    batch_id = new_batch_id()
    batch = store.NewBatch(batch_id, principal.tenant, principal.id, begun_at, received_at)
    (noted,) = await note([(batch, part_of(batch_id, _FIRST, outcomes))])
    return noted


async def keep_batches(noted: Sequence[Noted], *, database: Database) -> list[str]:
    """Write batches of several requests by one commit; their ids."""
    batches, parts = [batch for batch, _ in noted], [part for _, part in noted]

    def write(writing: Writing) -> None:
        store.add_batches(writing, batches)
        store.add_parts(writing, parts)

    await database.transact(write, *(batch.batch_id for batch in batches))
    return [batch.batch_id for batch in batches]


async def show_batch(
    batch_id: str, principal: Principal, *, after: int, limit: int, database: Database
) -> ShownBatch:
    """Raises UnknownBatch, of another tenant's too."""
    async with database.read() as session:
        outcome = _of_tenant(await store.outcomes(session, [batch_id]), principal)
        # One more says whether there is another page.
        refused = await store.refused_rows(session, batch_id, after=after, limit=limit + 1)
    page = refused[:limit]
    return ShownBatch(outcome, page, page[-1][0] if len(refused) > limit else None)


async def find_outcome(batch_id: str, principal: Principal, *, database: Database) -> Outcome:
    async with database.read() as session:
        return _of_tenant(await store.outcomes(session, [batch_id]), principal)


async def look_at(batch_ids: Collection[str], *, database: Database) -> dict[str, Outcome]:
    """For those who were shown these batches already."""
    async with database.read() as session:
        return {outcome.batch_id: outcome for outcome in await store.outcomes(session, batch_ids)}


def new_batch_id() -> str:
    """As a report's: milliseconds first."""
    return f"{time.time_ns() // 1_000_000:012x}{secrets.token_hex(10)}"


def _of_tenant(found: Sequence[Outcome], principal: Principal) -> Outcome:
    for outcome in found:
        if outcome.tenant == principal.tenant:
            return outcome
    raise UnknownBatch("there is no such batch", field="batch_id", mend="Check its id.")
