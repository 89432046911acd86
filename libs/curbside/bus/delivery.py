"""How records are handled: bounded retry with backoff, then the dead-letter topic; or many in one go.

Shared by both halves of the bus, so that a message fails alike on one machine and on many.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from curbside.bus.batching import Batches
from curbside.bus.protocol import Record, Subscription
from curbside.bus.retrying import backoff, code_of
from curbside.contracts.events import decode
from curbside.errors import CurbsideError, Disposition, Unavailable, disposition_of
from curbside.settings import BusSettings
from curbside.telemetry.metrics import DEAD_LETTERS, HANDLED
from curbside.telemetry.tracing import consumer_span

log = logging.getLogger(__name__)

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


class Delivery:
    """Feeds the handlers of one subscription, at most `concurrency` of them at a time."""

    def __init__(self, subscription: Subscription, settings: BusSettings) -> None:
        self._subscription = subscription
        self._settings = settings
        self._slots = asyncio.Semaphore(subscription.concurrency)
        self._batches = (
            Batches(subscription, subscription.handle_batch, settings, self._slots)
            if subscription.handle_batch is not None
            else None
        )

    async def in_order(
        self,
        records: Sequence[tuple[int, Record]],
        *,
        finish: Finish,
        where: Callable[[int], str] = str,
    ) -> None:
        """Feed consecutive `records` of one partition, each with its position; `finish` what is done with.

        `where` writes a position for people.
        """
        size = self._subscription.batch_size if self._batches is not None else 1
        for start in range(0, len(records), size):
            chunk = records[start : start + size]
            if self._batches is not None and await self._batches.hand_over([record for _, record in chunk]):
                await finish(chunk[-1][0], None)
                continue
            for position, record in chunk:
                async with self._slots:
                    dead = await deliver(
                        record, self._subscription, position=where(position), settings=self._settings
                    )
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
            code = code_of(error)
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
