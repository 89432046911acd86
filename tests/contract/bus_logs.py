"""The logs that the bus's contract is held against, and what its tests have in common."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

from curbside.bus.embedded import EmbeddedBus
from curbside.bus.kafka import KafkaBus
from curbside.bus.kafka.client import connect, wire_topic
from curbside.bus.protocol import Bus, Subscription
from curbside.contracts.events import Event, new_event
from curbside.contracts.topics import REPORTS_RECEIVED
from curbside.contracts.v1 import events_pb2
from curbside.settings import KafkaSettings
from curbside.testing.platform import FAST_BUS

# Two partitions: enough for keys to be apart, and quick to make.
TOPIC = replace(REPORTS_RECEIVED, partitions=2)


def received(report_id: str, subject: str = "s1") -> Event:
    return new_event(events_pb2.ReportReceived(report_id=report_id), tenant="default", subject=subject)


def id_of(event: Event) -> str:
    assert isinstance(event.payload, events_pb2.ReportReceived)
    return event.payload.report_id


class Log(Protocol):
    """Where a bus keeps its records. Another process can open it too: a Log can be pickled."""

    def open(self) -> Bus: ...

    async def headers_of(self, topic: str) -> list[dict[str, str]]:
        """Of every record of `topic`, in order, past the bus."""


@dataclass(frozen=True)
class EmbeddedLog:
    path: Path

    def open(self) -> EmbeddedBus:
        return EmbeddedBus(self.path, FAST_BUS)

    async def headers_of(self, topic: str) -> list[dict[str, str]]:
        with sqlite3.connect(self.path) as db:
            rows = db.execute("SELECT headers FROM messages WHERE topic = ? ORDER BY id", (topic,)).fetchall()
        return [json.loads(headers) for (headers,) in rows]


@dataclass(frozen=True)
class KafkaLog:
    settings: KafkaSettings

    def open(self) -> KafkaBus:
        return KafkaBus(self.settings, FAST_BUS)

    async def headers_of(self, topic: str) -> list[dict[str, str]]:
        return [
            {name: text.decode() for name, text in record.headers} for record in await self.records(topic)
        ]

    async def records(self, topic: str) -> list[Any]:
        """Every record of `topic`, partition by partition."""
        return await asyncio.to_thread(self._read, wire_topic(self.settings, topic))

    def _read(self, topic: str) -> list[Any]:
        from kafka import KafkaConsumer, TopicPartition

        consumer = connect(KafkaConsumer, self.settings, auto_offset_reset="earliest")
        try:
            partitions = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic)]
            consumer.assign(partitions)
            ends = consumer.end_offsets(partitions)
            found: dict[Any, list[Any]] = {partition: [] for partition in partitions}
            while any(consumer.position(partition) < end for partition, end in ends.items()):
                for partition, records in consumer.poll(timeout_ms=100).items():
                    found[partition] += records
            return [record for partition in partitions for record in found[partition]]
        finally:
            consumer.close()


def quick(settings: KafkaSettings, **more: Any) -> KafkaSettings:
    """`settings` with the times of a test: what is waited for passes sooner."""
    return settings.model_copy(
        update={
            "session_timeout": timedelta(seconds=2),
            "request_timeout": timedelta(seconds=5),
            "revoke_timeout": timedelta(seconds=5),
            "routing_lease": timedelta(milliseconds=300),
            "metadata_max_age": timedelta(seconds=1),
            **more,
        }
    )


class Inbox:
    """A handler that keeps what it was given, and can fail."""

    def __init__(self, expected: int) -> None:
        self.seen: list[str] = []
        self.attempts = 0
        self.fail_with: list[Exception] = []
        self._expected = expected
        self._done = asyncio.Event()

    async def __call__(self, event: Event) -> None:
        self.attempts += 1
        if self.fail_with:
            raise self.fail_with.pop(0)
        self.keep(event)

    def keep(self, *events: Event) -> None:
        self.seen += [id_of(event) for event in events]
        if len(self.seen) >= self._expected:
            self._done.set()

    async def full(self) -> None:
        await asyncio.wait_for(self._done.wait(), 30)


class Batches(Inbox):
    """A batch handler beside the single one; it fails where it is given an event of `poison`."""

    def __init__(self, expected: int) -> None:
        super().__init__(expected)
        self.batches: list[list[str]] = []
        self.poison: set[str] = set()
        self.batch_fails_with: list[Exception] = []

    async def __call__(self, event: Event) -> None:
        if id_of(event) in self.poison:
            raise RuntimeError("poison")
        await super().__call__(event)

    async def together(self, events: Sequence[Event]) -> None:
        self.batches.append([id_of(event) for event in events])
        if self.batch_fails_with:
            raise self.batch_fails_with.pop(0)
        if self.poison & set(self.batches[-1]):
            raise RuntimeError("one of them is poison")
        self.keep(*events)


def consuming(
    bus: Bus, inbox: Callable[[Event], Any], group: str = "readers", **more: Any
) -> asyncio.Task[None]:
    return asyncio.create_task(bus.consume(Subscription(TOPIC, group, inbox, **more)))


async def cancelled(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def until(holds: Callable[[], bool], seconds: float = 30) -> None:
    async def wait() -> None:
        while not holds():
            await asyncio.sleep(0.005)

    await asyncio.wait_for(wait(), seconds)


async def finished(bus: Bus, group: str = "readers") -> None:
    """Until `group` has nothing left to finish."""

    async def wait() -> None:
        while await bus.lag(TOPIC.name, group):
            await asyncio.sleep(0.01)

    await asyncio.wait_for(wait(), 30)
