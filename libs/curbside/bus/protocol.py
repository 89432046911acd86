"""What every bus promises: at-least-once, in order per key, nothing lost once published."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from curbside.contracts.events import Event
from curbside.contracts.topics import Topic
from curbside.errors import TooLarge

# What a broker takes by default is 1 MiB a batch. An event is a pointer of a few hundred bytes; whoever needs
# more wants a blob. Both halves refuse alike, so that what runs on one machine runs on many.
MAX_RECORD_BYTES: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Record:
    """One message to publish: bytes with a key that decides the partition, and text headers."""

    topic: str
    key: str
    value: bytes
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Bytes of key, value and headers."""
        size = len(self.value) + len(self.key.encode())
        for name, text in self.headers.items():
            size += len(name) + len(text.encode())
        return size


Handler = Callable[[Event], Awaitable[None]]
BatchHandler = Callable[[Sequence[Event]], Awaitable[None]]


@dataclass(frozen=True)
class Subscription:
    """A group's interest in a topic. Records of one partition are handled one after another, and
    partitions side by side, at most `concurrency` at a time.

    Where `handle_batch` is given, up to `batch_size` records are handed to it together, for one transaction:
    consecutive ones of a partition, and behind them those of others. If it raises, each partition's go to it
    by themselves; if it raises again, each of those goes to `handle`, so that one that is poison becomes a
    dead letter alone.
    """

    topic: Topic
    group: str
    handle: Handler
    concurrency: int = 1
    handle_batch: BatchHandler | None = None
    batch_size: int = 500


class Bus(Protocol):
    async def publish(self, records: Sequence[Record]) -> None:
        """Append all of `records` durably, in this order per key.

        Raises Unavailable where it is not certain that all were appended: publish them again, from the first
        on. A record may then stand in the log twice; consumers dedupe by event id, and the order in which a
        key's records are first seen holds. Raises TooLarge, having appended none, where one has more than
        MAX_RECORD_BYTES.
        """

    async def consume(self, subscription: Subscription) -> None:
        """Feed `subscription` until cancelled. A record whose handler returned is not fed again to its
        group in this log, unless the process or the bus died before that was noted; one whose handler
        keeps failing becomes a dead letter."""

    async def replay(self, topic: str) -> int:
        """Publish the dead letters of `topic` again and drop them from its DLQ; return how many.

        One that is interrupted may be started again: a dead letter is dropped only when it was published.
        """

    async def lag(self, topic: str, group: str) -> int:
        """How many records of `topic` the group has not finished."""

    async def dead_letters(self, topic: str) -> int:
        """How many dead letters of `topic` await a replay."""

    async def check(self) -> None:
        """Raise Unavailable where the bus cannot be reached."""

    async def close(self) -> None: ...


def check_sizes(records: Sequence[Record]) -> None:
    """Raise TooLarge where one of `records` is larger than any bus takes."""
    for record in records:
        if record.size > MAX_RECORD_BYTES:
            raise TooLarge(
                f"a record of {record.size:,} bytes for {record.topic!r} is over the bus's limit "
                f"of {MAX_RECORD_BYTES:,} bytes",
                mend="Put the content into a blob and publish its reference.",
            )
