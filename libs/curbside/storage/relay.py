"""The relay publishes what transactions left in the outbox, in the order they committed."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from datetime import timedelta
from typing import Final

from sqlalchemy import delete, func, select

from curbside.bus.protocol import Bus, Record
from curbside.contracts.v1 import events_pb2
from curbside.errors import Unavailable
from curbside.storage.database import Database
from curbside.telemetry.metrics import OUTBOX_WAITING
from curbside.telemetry.tracing import TRACE_PARENT

log = logging.getLogger(__name__)

_BATCH: Final = 200
# Another process of the same service (the training driver) also writes the outbox, unseen by our event.
_POLL: Final = timedelta(seconds=1)


async def publish_waiting(database: Database, bus: Bus) -> int:
    """Publish up to one batch; return how many. A crash between publish and delete publishes twice,
    which consumers dedupe by event id."""
    outbox = database.metadata.tables["outbox"]
    async with database.read() as session:
        rows = (await session.execute(select(outbox).order_by(outbox.c.id).limit(_BATCH))).all()
        waiting = len(rows)
        if waiting == _BATCH:
            waiting = (await session.execute(select(func.count()).select_from(outbox))).scalar_one()
    OUTBOX_WAITING.labels(service=database.service).set(waiting)
    if rows:
        await bus.publish([Record(row.topic, row.key, row.value, _headers(row.value)) for row in rows])
        async with database.begin() as transaction:
            await transaction.session.execute(delete(outbox).where(outbox.c.id.in_([row.id for row in rows])))
    return len(rows)


def _headers(value: bytes) -> dict[str, str]:
    trace_parent = events_pb2.Envelope.FromString(value).trace_parent
    return {TRACE_PARENT: trace_parent} if trace_parent else {}


async def relay(database: Database, bus: Bus) -> None:
    """Publish for as long as the service runs; a bus that is down is tried again, and nothing is lost."""
    while True:
        database.committed.clear()
        try:
            published = await publish_waiting(database, bus)
        except Unavailable as error:
            log.warning("outbox waits", extra={"error": error.code})
            published = 0
        if not published:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(database.committed.wait(), _POLL.total_seconds())
