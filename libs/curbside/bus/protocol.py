"""What every bus promises: at-least-once, in order per key, nothing lost once published."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from curbside.contracts.events import Event
from curbside.contracts.topics import Topic


@dataclass(frozen=True, slots=True)
class Record:
    """One message to publish: bytes with a key that decides the partition, and text headers."""

    topic: str
    key: str
    value: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


Handler = Callable[[Event], Awaitable[None]]


@dataclass(frozen=True)
class Subscription:
    """A group's interest in a topic. Records of one partition are handled one after another, and
    partitions side by side, at most `concurrency` at a time."""

    topic: Topic
    group: str
    handle: Handler
    concurrency: int = 1


class Bus(Protocol):
    async def publish(self, records: Sequence[Record]) -> None:
        """Append all of `records` durably, or raise Unavailable having appended none."""

    async def consume(self, subscription: Subscription) -> None:
        """Feed `subscription` until cancelled. A record whose handler returned is never fed again to
        its group in this log; one whose handler keeps failing becomes a dead letter."""

    async def replay(self, topic: str) -> int:
        """Publish the dead letters of `topic` again and drop them from its DLQ; return how many."""

    async def lag(self, topic: str, group: str) -> int:
        """How many records of `topic` the group has not finished."""

    async def dead_letters(self, topic: str) -> int:
        """How many dead letters of `topic` await a replay."""

    async def check(self) -> None:
        """Raise Unavailable where the bus cannot be reached."""

    async def close(self) -> None: ...
