"""How one record is handled: bounded retry with backoff, then the dead-letter topic.

Shared by both halves of the bus, so that a message fails alike on one machine and on many.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final

from curbside.bus.protocol import Handler, Record
from curbside.contracts.events import decode
from curbside.errors import CurbsideError, Disposition, Unavailable, disposition_of
from curbside.settings import BusSettings
from curbside.telemetry.metrics import DEAD_LETTERS, HANDLED
from curbside.telemetry.tracing import consumer_span

log = logging.getLogger(__name__)

Sleep = Callable[[float], Awaitable[None]]
# What a dead letter's headers say beside those of its record; a replay takes them off again.
DEAD_LETTER_HEADERS: Final = (
    "curbside-dlq-topic",
    "curbside-dlq-group",
    "curbside-dlq-error",
    "curbside-dlq-attempts",
)


def backoff(attempt: int, settings: BusSettings) -> timedelta:
    """Doubling from the first backoff, capped. `attempt` counts from 1."""
    # min() before the power: 2**attempt would overflow a timedelta when a dependency is down for days.
    doublings = min(attempt - 1, 20)
    return min(settings.first_backoff * (1 << doublings), settings.max_backoff)


async def deliver(
    record: Record,
    handle: Handler,
    *,
    group: str,
    settings: BusSettings,
    sleep: Sleep = asyncio.sleep,
) -> Record | None:
    """Run `handle` on `record` until it returns; return the dead letter to publish where it never will.

    A dependency that is down (Unavailable) is waited for without limit: dead-lettering everything
    during an outage would only move the queue.
    """
    attempts = failures = 0
    while True:
        attempts += 1
        try:
            event = decode(record.value)
            with consumer_span(record.topic, group, event, record.headers):
                await handle(event)
        except Exception as error:
            code = error.code if isinstance(error, CurbsideError) else type(error).__name__
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
                return _dead_letter(record, group=group, code=code, attempts=attempts)
            await sleep(backoff(attempts, settings).total_seconds())
        else:
            HANDLED.labels(topic=record.topic, group=group).inc()
            return None


def _dead_letter(record: Record, *, group: str, code: str, attempts: int) -> Record:
    said = zip(DEAD_LETTER_HEADERS, (record.topic, group, code, str(attempts)), strict=True)
    return Record(f"{record.topic}.dlq", record.key, record.value, {**record.headers, **dict(said)})
