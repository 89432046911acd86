"""The relay publishes what transactions left in the outbox, in the order they committed."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final, Protocol

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Row,
    Select,
    Table,
    any_,
    bindparam,
    delete,
    func,
    select,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncSession

from curbside.bus.protocol import Record
from curbside.contracts.v1 import events_pb2
from curbside.errors import Unavailable
from curbside.storage.database import Database
from curbside.telemetry.metrics import OUTBOX_WAITING
from curbside.telemetry.tracing import TRACE_PARENT

log = logging.getLogger(__name__)

# So many at once share one transaction, and a batch of a partition: a consumer's transactions are as long as
# what it finds there, and with 12 partitions 500 records would be 40 each.
_BATCH: Final = 2_000
# Another process of the same service (the training driver) also writes the outbox, unseen by our event.
_POLL: Final = timedelta(seconds=1)
# After a batch, so that a stream of small transactions does not cost a batch for each.
_GATHERING: Final = timedelta(milliseconds=20)


class Publisher(Protocol):
    """The half of a bus that the relay needs."""

    async def publish(self, records: Sequence[Record]) -> None: ...


async def publish_waiting(database: Database, bus: Publisher) -> int:
    """Publish up to one batch; return how many. A crash between publish and delete publishes twice,
    which consumers dedupe by event id."""
    outbox = database.metadata.tables["outbox"]
    if database.is_postgres:
        async with database.without_turn() as session:
            rows = await _claimed(session, outbox)
            waiting = await session.run_sync(lambda s: _waiting(s.connection(), outbox, rows))
            OUTBOX_WAITING.labels(service=database.service).set(waiting)
            if rows:
                await bus.publish(_records(rows))
                await session.execute(delete(outbox).where(_among(outbox, rows)))
        return len(rows)
    # One process relays an SQLite file, and its write lock must not be held while the bus is waited for.
    rows, waiting = await database.look(lambda connection: _found(connection, outbox))
    OUTBOX_WAITING.labels(service=database.service).set(waiting)
    if rows:
        await bus.publish(_records(rows))
        # All up to the last were among them: writers take turns, so ids are committed in order.
        done = delete(outbox).where(outbox.c.id <= rows[-1].id)
        await database.transact(lambda writing: writing.connection.execute(done))
    return len(rows)


def _found(connection: Connection, outbox: Table) -> tuple[Sequence[Row[Any]], int]:
    """The oldest rows, and how many wait."""
    rows = connection.execute(_oldest(outbox)).all()
    return rows, _waiting(connection, outbox, rows)


def _waiting(connection: Connection, outbox: Table, rows: Sequence[Row[Any]]) -> int:
    if len(rows) < _BATCH:
        return len(rows)
    return connection.execute(select(func.count()).select_from(outbox)).scalar_one()


async def _claimed(session: AsyncSession, outbox: Table) -> Sequence[Row[Any]]:
    """The oldest rows that no other relay holds, locked until the transaction ends.

    A row whose key has an older one with another relay is left for later: else it could overtake that.
    """
    mine: Sequence[Row[Any]] = (
        await session.execute(_oldest(outbox).with_for_update(skip_locked=True))
    ).all()
    if not mine:
        return mine
    older = (
        await session.execute(
            select(outbox.c.topic, outbox.c.key, func.min(outbox.c.id))
            .where(outbox.c.id < mine[-1].id, ~_among(outbox, mine))
            .group_by(outbox.c.topic, outbox.c.key)
        )
    ).all()
    held = {(topic, key): first for topic, key, first in older}
    return [row for row in mine if row.id < held.get((row.topic, row.key), row.id + 1)]


def _oldest(outbox: Table) -> Select[Any]:
    # Nothing else of a row is used, and every column costs.
    columns = outbox.c.id, outbox.c.topic, outbox.c.key, outbox.c.value
    return select(*columns).order_by(outbox.c.id).limit(_BATCH)


def _among(outbox: Table, rows: Sequence[Row[Any]]) -> ColumnElement[bool]:
    """One parameter, not one for each row: those take longer to write down than to look up."""
    ids = bindparam("ids", [row.id for row in rows], type_=postgresql.ARRAY(BigInteger))
    return outbox.c.id == any_(ids)


def _records(rows: Sequence[Row[Any]]) -> list[Record]:
    return [Record(row.topic, row.key, row.value, _headers(row.value)) for row in rows]


def _headers(value: bytes) -> dict[str, str]:
    trace_parent = events_pb2.Envelope.FromString(value).trace_parent
    return {TRACE_PARENT: trace_parent} if trace_parent else {}


async def relay(database: Database, bus: Publisher) -> None:
    """Publish for as long as the service runs; a bus that is down is tried again, and nothing is lost."""
    while True:
        database.committed.clear()
        try:
            published = await publish_waiting(database, bus)
        except Unavailable as error:
            log.warning("outbox waits", extra={"error": error.code})
            published = 0
        if published:
            await asyncio.sleep(_GATHERING.total_seconds())
        else:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(database.committed.wait(), _POLL.total_seconds())
