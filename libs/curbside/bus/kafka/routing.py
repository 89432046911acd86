"""Which partition a key goes to: by a count that we keep, not by how many partitions the broker has.

A topic's count stands in a record of the compacted topic `curbside.routing.v1`. Whoever publishes has read
that topic at most one lease ago, or does not publish. So a topic can be stopped, emptied, and given more
partitions without any key's records passing each other: docs/adr/0001-partition-growth.md.
"""

from __future__ import annotations

import json
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from curbside.bus.kafka.client import BusRefused, connect, explained, milliseconds, wire_topic
from curbside.contracts.topics import DEAD_LETTER_PARTITIONS, DEAD_LETTER_SUFFIX
from curbside.errors import Unavailable
from curbside.settings import KafkaSettings

ROUTING_TOPIC: Final = "curbside.routing.v1"


class State(StrEnum):
    ACTIVE = "active"
    DRAINING = "draining"


@dataclass(frozen=True, slots=True)
class Route:
    """How a topic is routed. `target` is the count that a draining topic is to have."""

    version: int
    state: State
    partitions: int
    target: int | None = None
    since: str | None = None  # when it was written, for people: ISO 8601

    def partition_of(self, key: str) -> int:
        return zlib.crc32(key.encode()) % self.partitions

    def encode(self) -> bytes:
        said = {"version": self.version, "state": self.state, "partitions": self.partitions}
        optional = {"target": self.target, "since": self.since}
        return json.dumps(
            said | {name: value for name, value in optional.items() if value is not None}
        ).encode()

    @classmethod
    def decode(cls, value: bytes) -> Route:
        said = json.loads(value)
        return cls(
            version=int(said["version"]),
            state=State(said["state"]),
            partitions=int(said["partitions"]),
            target=said.get("target"),
            since=said.get("since"),
        )


class NotProvisioned(BusRefused):
    code = "operator.topic-not-provisioned"


class TopicDraining(Unavailable):
    """The topic is given more partitions: what stands before its consumers is finished first."""

    code = "bus.topic-draining"


_DEAD_LETTERS: Final = Route(1, State.ACTIVE, DEAD_LETTER_PARTITIONS)


class RoutingTable:
    """The routes of all topics, at most one lease old. For one thread only; it blocks."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._partition = TopicPartition(wire_topic(settings, ROUTING_TOPIC), 0)
        self._consumer: Any = None
        self._routes: dict[str, Route] = {}
        self._read_at = float("-inf")
        self.version = 0  # how many records were read: another one, and routes may be others

    def confirm(self, *, within: float | None = None) -> None:
        """Make sure that the table is younger than a lease (or `within` seconds); raise Unavailable where
        it cannot be."""
        lease = self._settings.routing_lease.total_seconds()
        now = time.monotonic()
        if now - self._read_at <= (lease / 2 if within is None else within):
            return
        try:
            self._read_to_end()
        except (KafkaError, Unavailable) as error:
            self.close()
            # Read in time for now: the next call tries again.
            if within is None and time.monotonic() - self._read_at < lease:
                return
            raise explained(error, self._settings) from error
        self._read_at = now

    def of(self, topic: str) -> Route:
        """The route by which to publish to `topic`. Raises TopicDraining or NotProvisioned."""
        route = _DEAD_LETTERS if topic.endswith(DEAD_LETTER_SUFFIX) else self._routes.get(topic)
        if route is None:
            raise NotProvisioned(
                f"the topic {topic!r} has no routing record",
                mend="Run `curbside provision` against this Kafka.",
            )
        if route.state is State.DRAINING:
            raise TopicDraining(
                f"{topic!r} is being emptied before it gets {route.target} partitions",
                mend="Wait; what is published meanwhile stays in the outbox.",
            )
        return route

    @property
    def routes(self) -> Mapping[str, Route]:
        return self._routes

    def close(self) -> None:
        if self._consumer is not None:
            self._consumer.close()
            self._consumer = None

    def _read_to_end(self) -> None:
        timeout = milliseconds(self._settings.request_timeout)
        if self._consumer is None:
            consumer = connect(
                KafkaConsumer,
                self._settings,
                client_id="curbside-routing",
                auto_offset_reset="earliest",
                enable_auto_commit=False,
                allow_auto_create_topics=False,
                metrics_enabled=False,
            )
            self._consumer = consumer
            if not consumer.partitions_for_topic(self._partition.topic):
                raise NotProvisioned(
                    f"Kafka at {self._settings.bootstrap_servers} has no topic {self._partition.topic!r}",
                    mend="Run `curbside provision` against this Kafka.",
                )
            consumer.assign([self._partition])
        end = self._consumer.end_offsets([self._partition], timeout_ms=timeout)[self._partition]
        deadline = time.monotonic() + timeout / 1000
        while (self._consumer.position(self._partition, timeout_ms=timeout) or 0) < end:
            for records in self._consumer.poll(timeout_ms=100).values():
                for record in records:
                    self._routes[record.key.decode()] = Route.decode(record.value)
                    self.version += 1
            if time.monotonic() > deadline:
                raise Unavailable(
                    "the routing topic cannot be read to its end", mend="Check Kafka's brokers."
                )
