"""How records are handled: bounded retry with backoff, then the dead-letter topic; or many in one go.

Shared by both halves of the bus, so that a message fails alike on one machine and on many.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Final

from opentelemetry import propagate, trace
from opentelemetry.trace import Link, SpanKind

from curbside.bus.protocol import Record, Subscription
from curbside.contracts.events import Event, decode
from curbside.errors import CurbsideError, Disposition, Unavailable, disposition_of
from curbside.settings import BusSettings
from curbside.telemetry.metrics import BATCHES_SPLIT, DEAD_LETTERS, HANDLED
from curbside.telemetry.tracing import TRACE_PARENT, consumer_span

log = logging.getLogger(__name__)
_TRACER = trace.get_tracer("curbside")

Sleep = Callable[[float], Awaitable[None]]
# Called when everything up to a position is done with: the position, and the dead letter that it became.
Finish = Callable[[int, Record | None], Awaitable[None]]
# What a dead letter's headers say beside those of its record; a replay takes them off again.
DEAD_LETTER_HEADERS: Final = (
    "curbside-dlq-topic",
    "curbside-dlq-group",
    "curbside-dlq-error",
    "curbside-dlq-attempts",
    "curbside-dlq-position",
)
# A batch's span names the traces that it continues, but so many at most: parsing them all would cost more
# than the rest of a batch does.
_LINKS: Final = 16


def backoff(attempt: int, settings: BusSettings) -> timedelta:
    """Doubling from the first backoff, capped. `attempt` counts from 1."""
    # min() before the power: 2**attempt would overflow a timedelta when a dependency is down for days.
    doublings = min(attempt - 1, 20)
    return min(settings.first_backoff * (1 << doublings), settings.max_backoff)


async def deliver_in_order(
    records: Sequence[tuple[int, Record]],
    subscription: Subscription,
    *,
    settings: BusSettings,
    slots: asyncio.Semaphore,
    finish: Finish,
    where: Callable[[int], str] = str,
) -> None:
    """Feed consecutive `records` of one partition, each with its position, and `finish` what is done with.

    `slots` bounds how many partitions are in a handler at once; `where` writes a position for people.
    """
    size = subscription.batch_size if subscription.handle_batch is not None else 1
    for start in range(0, len(records), size):
        chunk = records[start : start + size]
        if subscription.handle_batch is not None:
            async with slots:
                handled = await _deliver_together([record for _, record in chunk], subscription, settings)
            if handled:
                await finish(chunk[-1][0], None)
                continue
        for position, record in chunk:
            async with slots:
                dead = await deliver(record, subscription, position=where(position), settings=settings)
            await finish(position, dead)


async def deliver(
    record: Record,
    subscription: Subscription,
    *,
    position: str,
    settings: BusSettings,
    sleep: Sleep = asyncio.sleep,
) -> Record | None:
    """Run the handler on `record` until it returns; return the dead letter to publish where it never will.

    A dependency that is down (Unavailable) is waited for without limit: dead-lettering everything
    during an outage would only move the queue.
    """
    group = subscription.group
    attempts = failures = 0
    while True:
        attempts += 1
        try:
            event = decode(record.value)
            with consumer_span(record.topic, group, event, record.headers):
                await subscription.handle(event)
        except Exception as error:
            code = _code_of(error)
            unavailable = isinstance(error, Unavailable)
            failures += not unavailable
            log.warning(
                "handler failed",
                extra={"topic": record.topic, "group": group, "attempt": attempts, "error": code},
                # An unexpected error needs its frames; the formatter drops its message.
                exc_info=None if isinstance(error, CurbsideError) else error,
            )
            if not unavailable and (
                disposition_of(error) is Disposition.DEAD_LETTER or failures >= settings.max_attempts
            ):
                DEAD_LETTERS.labels(topic=record.topic, group=group, error=code).inc()
                said = (record.topic, group, code, str(attempts), position)
                headers = {**record.headers, **dict(zip(DEAD_LETTER_HEADERS, said, strict=True))}
                return Record(f"{record.topic}.dlq", record.key, record.value, headers)
            await sleep(backoff(attempts, settings).total_seconds())
        else:
            HANDLED.labels(topic=record.topic, group=group).inc()
            return None


async def _deliver_together(
    records: Sequence[Record], subscription: Subscription, settings: BusSettings
) -> bool:
    """Hand `records` to the batch handler; False where one of them, or the handler, needs them one by one."""
    assert subscription.handle_batch is not None
    topic, group = subscription.topic.name, subscription.group
    try:
        events = [decode(record.value) for record in records]
    except CurbsideError:
        BATCHES_SPLIT.labels(topic=topic, group=group).inc()
        return False
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
                await subscription.handle_batch(events)
        except Unavailable as error:
            log.warning(
                "batch waits",
                extra={"topic": topic, "group": group, "attempt": attempts, "error": error.code},
            )
            await asyncio.sleep(backoff(attempts, settings).total_seconds())
        except Exception as error:
            log.warning(
                "batch failed, its records go one by one",
                extra={"topic": topic, "group": group, "records": len(records), "error": _code_of(error)},
                exc_info=None if isinstance(error, CurbsideError) else error,
            )
            BATCHES_SPLIT.labels(topic=topic, group=group).inc()
            return False
        else:
            HANDLED.labels(topic=topic, group=group).inc(len(records))
            return True


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


def _code_of(error: Exception) -> str:
    return error.code if isinstance(error, CurbsideError) else type(error).__name__
