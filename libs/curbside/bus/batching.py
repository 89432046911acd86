"""Batches: what waits in several partitions goes to a subscription's batch handler together.

A transaction costs much the same for one record as for many, and a topic with 12 partitions seldom has many
waiting in one of them: a batch of its own for each would be a transaction for each.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from opentelemetry import propagate, trace
from opentelemetry.trace import Link, SpanKind

from curbside.bus.protocol import BatchHandler, Record, Subscription
from curbside.bus.retrying import backoff, code_of
from curbside.contracts.events import Event, decode
from curbside.errors import CurbsideError, Unavailable
from curbside.settings import BusSettings
from curbside.telemetry.metrics import BATCHES_SPLIT, HANDLED
from curbside.telemetry.tracing import TRACE_PARENT

log = logging.getLogger(__name__)
_TRACER = trace.get_tracer("curbside")

# A batch's span names the traces that it continues, but so many at most: parsing them all would cost more
# than the rest of a batch does.
_LINKS: Final = 16


@dataclass(eq=False, slots=True)
class _Part:
    """Consecutive records of one partition."""

    records: Sequence[Record]
    events: Sequence[Event]
    # Whether they were handled; None where they have to be handed over again.
    handled: asyncio.Future[bool | None] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )
    batch: asyncio.Task[None] | None = None


class Batches:
    """Hands over the records of one subscription; `slots` are its handlers', one for each batch."""

    def __init__(
        self,
        subscription: Subscription,
        handle_batch: BatchHandler,
        settings: BusSettings,
        slots: asyncio.Semaphore,
    ) -> None:
        self._subscription = subscription
        self._handle_batch = handle_batch
        self._settings = settings
        self._slots = slots
        self._waiting: deque[_Part] = deque()
        self._running: set[asyncio.Task[None]] = set()

    async def hand_over(self, records: Sequence[Record]) -> bool:
        """Wait until consecutive `records` of one partition were handled, perhaps with others'.

        False where one of them, or the handler, needs them one by one. Cancelled, it returns only when
        nothing of them is being handled any more.
        """
        try:
            events = [decode(record.value) for record in records]
        except CurbsideError:
            self._count_split()
            return False
        while True:
            part = _Part(records, events)
            self._waiting.append(part)
            self._start()
            try:
                handled = await part.handled
            except asyncio.CancelledError:
                await self._withdraw(part)
                raise
            if handled is not None:
                return handled

    def _start(self) -> None:
        if self._waiting and len(self._running) < self._subscription.concurrency:
            task = asyncio.create_task(self._run())
            self._running.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._start()

    async def _withdraw(self, part: _Part) -> None:
        if part in self._waiting:
            self._waiting.remove(part)
        elif part.batch is not None:
            # Its transaction is rolled back, and the others' records are handed over again.
            part.batch.cancel()
            await asyncio.gather(part.batch, return_exceptions=True)

    async def _run(self) -> None:
        async with self._slots:
            parts = self._take()
            try:
                if await self._is_handled(parts):
                    for part in parts:
                        _settle(part, True)
                    return
                # Only the partition that has the poison pays for it.
                for part in parts:
                    _settle(part, len(parts) > 1 and await self._is_handled([part]))
            finally:
                for part in parts:
                    _settle(part, None)

    def _take(self) -> list[_Part]:
        """What waits, up to a batch's size; it may have been withdrawn meanwhile."""
        parts: list[_Part] = []
        room = self._subscription.batch_size
        while self._waiting and (not parts or len(self._waiting[0].records) <= room):
            part = self._waiting.popleft()
            part.batch = asyncio.current_task()
            room -= len(part.records)
            parts.append(part)
        return parts

    async def _is_handled(self, parts: Sequence[_Part]) -> bool:
        records = [record for part in parts for record in part.records]
        events = [event for part in parts for event in part.events]
        if not events:
            return True
        topic, group = self._subscription.topic.name, self._subscription.group
        attempts = 0
        while True:
            attempts += 1
            try:
                with _TRACER.start_as_current_span(
                    f"handle {len(events)} {events[0].type}",
                    kind=SpanKind.CONSUMER,
                    links=_links(records, events),
                    record_exception=False,
                    set_status_on_exception=False,
                    attributes={"messaging.destination.name": topic, "messaging.consumer.group.name": group},
                ):
                    await self._handle_batch(events)
            except Unavailable as error:
                log.warning(
                    "batch waits",
                    extra={"topic": topic, "group": group, "attempt": attempts, "error": error.code},
                )
                await asyncio.sleep(backoff(attempts, self._settings).total_seconds())
            except Exception as error:
                log.warning(
                    "batch failed, and is handed over in parts",
                    extra={"topic": topic, "group": group, "records": len(records), "error": code_of(error)},
                    exc_info=None if isinstance(error, CurbsideError) else error,
                )
                self._count_split()
                return False
            else:
                HANDLED.labels(topic=topic, group=group).inc(len(records))
                return True

    def _count_split(self) -> None:
        BATCHES_SPLIT.labels(topic=self._subscription.topic.name, group=self._subscription.group).inc()


def _settle(part: _Part, handled: bool | None) -> None:
    if not part.handled.done():
        part.handled.set_result(handled)


def _links(records: Sequence[Record], events: Sequence[Event]) -> list[Link]:
    named = (
        record.headers.get(TRACE_PARENT) or event.trace_parent
        for record, event in zip(records, events, strict=True)
    )
    parents = [parent for parent in dict.fromkeys(named) if parent][:_LINKS]
    return [
        Link(trace.get_current_span(propagate.extract({TRACE_PARENT: parent})).get_span_context())
        for parent in parents
    ]
