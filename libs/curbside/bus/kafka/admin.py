"""What Kafka is asked and told beside records: topics, positions of groups, the routing table's records."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

from kafka import KafkaAdminClient, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, OffsetSpec
from kafka.errors import (
    AuthorizationError,
    BrokerResponseError,
    Cancelled,
    InvalidReplicationFactorError,
    KafkaError,
    RetriableError,
    TopicAlreadyExistsError,
    UnknownTopicOrPartitionError,
    for_code,
)

from curbside.bus.kafka.client import (
    BusRefused,
    connect,
    explained,
    milliseconds,
    wire_group,
    wire_topic,
)
from curbside.bus.kafka.routing import ROUTING_TOPIC, Route, RoutingTable, State
from curbside.contracts.topics import (
    DEAD_LETTER_PARTITIONS,
    DEAD_LETTER_RETENTION,
    DEAD_LETTER_SUFFIX,
    Topic,
)
from curbside.errors import Unavailable
from curbside.settings import KafkaSettings

# A batch of MAX_RECORD_BYTES, and its headers where it became a dead letter.
_MAX_BATCH_BYTES: Final = 1_048_588
_AGAIN: Final = 0.1  # seconds
REPLAY_GROUP: Final = "curbside-replay"
ResultT = TypeVar("ResultT")
Offsets = Mapping[Any, int]


class Admin:
    """Blocking questions and commands, from any thread. What fails is tried again, with a new client."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._client: Any = None
        self._lock = threading.Lock()
        self._closed = False

    def close(self) -> None:
        with self._lock:
            self._closed = True
            client, self._client = self._client, None
        if client is not None:
            client.close()

    def call(self, work: Callable[[Any], ResultT]) -> ResultT:
        """`work` with an admin client. Raises Unavailable, or BusRefused."""
        deadline = time.monotonic() + self._settings.request_timeout.total_seconds()
        for attempt in itertools.count(1):
            client = self._open()
            try:
                return work(client)
            except KafkaError as error:
                self._discard(client)  # it may remember a coordinator or a controller that is no more
                # A broker that says "not yet" (it has just started, a leader is being chosen) is asked again;
                # so is one whose answer another thread cancelled, by giving up the client that both used.
                again = isinstance(error, BrokerResponseError | Cancelled)
                not_yet = again and time.monotonic() < deadline
                if not isinstance(error, RetriableError) or (attempt > 1 and not not_yet):
                    raise explained(error, self._settings) from error
                time.sleep(_AGAIN)
        raise AssertionError("unreachable")

    def _open(self) -> Any:
        with self._lock:
            if self._closed:
                raise Unavailable("the bus is closed", mend="Open another.")
            if self._client is None:
                self._client = connect(KafkaAdminClient, self._settings, client_id="curbside-admin")
            return self._client

    def _discard(self, client: Any) -> None:
        with self._lock:
            if self._client is client:
                self._client = None
        client.close()

    # Offsets and groups

    def check(self) -> None:
        self.call(lambda client: client.describe_cluster())

    def partitions(self, topic: str) -> list[Any]:
        """The partitions of `topic`; empty where there is no such topic."""
        wire = wire_topic(self._settings, topic)
        (described,) = self.call(lambda client: client.describe_topics([wire]))
        if described["error_code"] == UnknownTopicOrPartitionError.errno:
            return []
        if described["error_code"]:
            raise explained(for_code(described["error_code"])(), self._settings)
        return [TopicPartition(wire, one["partition_index"]) for one in described["partitions"]]

    def beginnings(self, partitions: Sequence[Any]) -> Offsets:
        return self._offsets(partitions, OffsetSpec.EARLIEST)

    def ends(self, partitions: Sequence[Any]) -> Offsets:
        return self._offsets(partitions, OffsetSpec.LATEST)

    def _offsets(self, partitions: Sequence[Any], spec: Any) -> Offsets:
        if not partitions:
            return {}
        found = self.call(lambda client: client.list_partition_offsets(dict.fromkeys(partitions, spec)))
        return {partition: one.offset for partition, one in found.items()}

    def committed(self, group: str) -> Offsets:
        """What the Kafka group `group` has finished, by partition."""
        found = self.call(lambda client: client.list_group_offsets([group]))
        return {one: said.offset for one, said in found.get(group, {}).items() if said.offset >= 0}

    def waiting(self, topic: str, group: str) -> int:
        """How many records of `topic` the Kafka group `group` has not finished."""
        return sum(self.waiting_in(topic, group).values())

    def waiting_in(self, topic: str, group: str) -> dict[Any, int]:
        """Likewise, by partition."""
        # What is finished is asked first: a record that is published meanwhile then counts as waiting.
        committed = self.committed(group)
        partitions = self.partitions(topic)
        begins = self.beginnings(partitions)
        ends = self.ends(partitions)
        return {one: max(0, ends[one] - max(committed.get(one, 0), begins[one])) for one in partitions}

    def groups_of(self, topic: str) -> list[str]:
        """Every Kafka group that has a position in `topic`, or is subscribed to it by us."""
        groups: list[str] = [one["group_id"] for one in self.call(lambda client: client.list_groups())]
        if not groups:
            return []
        wire, ours = wire_topic(self._settings, topic), wire_group(self._settings, "", topic)
        positions = self.call(lambda client: client.list_group_offsets(groups))
        return [
            group
            for group in groups
            if (
                group.startswith(self._settings.topic_prefix)
                and group.endswith(ours.removeprefix(self._settings.topic_prefix))
            )
            or any(one.topic == wire and said.offset >= 0 for one, said in positions.get(group, {}).items())
        ]

    # Topics

    def provision(self, topics: Iterable[Topic]) -> list[str]:
        """Make what is missing and correct what differs; say what was done, line by line."""
        topics = list(topics)
        wanted = self._wanted(topics)
        done = self._create(wanted)
        done += self._configure(wanted)
        return done + self._route(topics)

    def _wanted(self, topics: Sequence[Topic]) -> dict[str, tuple[int, dict[str, str]]]:
        """Partitions and configuration by topic (https://kafka.apache.org/documentation/#topicconfigs)."""
        common = {
            # A producer's clock may be wrong, or an event old: neither may change what is kept.
            "message.timestamp.type": "LogAppendTime",
            "max.message.bytes": str(_MAX_BATCH_BYTES),
            "min.insync.replicas": str(self._settings.min_insync_replicas),
            "unclean.leader.election.enable": "false",
        }
        wanted = {
            ROUTING_TOPIC: (1, {**common, "cleanup.policy": "compact"}),
        }
        for topic in topics:
            kept = {"cleanup.policy": "delete", "retention.ms": str(milliseconds(topic.retention))}
            wanted[topic.name] = (topic.partitions, common | kept)
            kept = {"cleanup.policy": "delete", "retention.ms": str(milliseconds(DEAD_LETTER_RETENTION))}
            wanted[topic.dead_letters] = (DEAD_LETTER_PARTITIONS, common | kept)
        return wanted

    def _create(self, wanted: Mapping[str, tuple[int, dict[str, str]]]) -> list[str]:
        names = {wire_topic(self._settings, name): name for name in wanted}
        described = self.call(lambda client: client.describe_topics(list(names)))
        there = {one["name"]: len(one["partitions"]) for one in described if one["error_code"] == 0}
        done = [
            f"{name}: left with {there[wire]} partitions, though {wanted[name][0]} are wanted: grow it"
            for wire, name in names.items()
            if wire in there and there[wire] < wanted[name][0]
        ]
        missing = {wire: name for wire, name in names.items() if wire not in there}
        if not missing:
            return done
        copies = self._settings.replication_factor
        new = {
            wire: {
                "num_partitions": wanted[name][0],
                "replication_factor": copies,
                "configs": wanted[name][1],
            }
            for wire, name in missing.items()
        }

        def create(client: Any) -> Any:
            made = client.create_topics(new, raise_errors=False)
            client.wait_for_topics(list(new), timeout_ms=milliseconds(self._settings.request_timeout))
            return made

        def refused(made: Any) -> None:
            for one in made["topics"]:
                if one["error_code"] in (0, TopicAlreadyExistsError.errno):
                    continue
                if one["error_code"] == InvalidReplicationFactorError.errno:
                    raise BusRefused(
                        f"Kafka has fewer than {copies} brokers, so it cannot keep {copies} copies",
                        mend="Add brokers, or lower CURBSIDE_KAFKA__REPLICATION_FACTOR and "
                        "CURBSIDE_KAFKA__MIN_INSYNC_REPLICAS.",
                    )
                error = for_code(one["error_code"])
                if issubclass(error, AuthorizationError):
                    raise explained(error(), self._settings)
                raise BusRefused(
                    f"Kafka does not create {one['name']!r}: {one.get('error_message') or one['error_code']}",
                    mend="Correct its configuration in the broker, or create the topic by hand.",
                )

        # Refused topics never become visible, so they are named before anything is waited for.
        refused(self.call(lambda client: client.create_topics(new, raise_errors=False, validate_only=True)))
        refused(self.call(create))
        return done + [
            f"{name}: created with {wanted[name][0]} partitions in {copies} copies"
            for name in missing.values()
        ]

    def _configure(self, wanted: Mapping[str, tuple[int, dict[str, str]]]) -> list[str]:
        names = {wire_topic(self._settings, name): name for name in wanted}
        asked = [
            ConfigResource(ConfigResourceType.TOPIC, wire, dict.fromkeys(wanted[name][1]))
            for wire, name in names.items()
        ]
        found = self.call(lambda client: client.describe_configs(asked, config_filter="all"))["topic"]
        done, changed = [], []
        for wire, name in names.items():
            differs = {
                key: value for key, value in wanted[name][1].items() if found[wire][key]["value"] != value
            }
            if differs:
                changed.append(ConfigResource(ConfigResourceType.TOPIC, wire, differs))
                done += [
                    f"{name}: {key} is {value}, was {found[wire][key]['value']}"
                    for key, value in differs.items()
                ]
        if changed:
            self.call(lambda client: client.alter_configs(changed))
        return done

    # Routing

    def routes(self) -> dict[str, Route]:
        table = RoutingTable(self._settings)
        try:
            table.confirm(within=0)
            return dict(table.routes)
        finally:
            table.close()

    def write_routes(self, routes: Mapping[str, Route]) -> None:
        wire = wire_topic(self._settings, ROUTING_TOPIC)
        timeout = self._settings.request_timeout.total_seconds()
        producer = connect(
            KafkaProducer,
            self._settings,
            client_id="curbside-routing",
            acks="all",
            delivery_timeout_ms=milliseconds(self._settings.request_timeout),
            max_block_ms=milliseconds(self._settings.request_timeout),
            allow_auto_create_topics=False,
            metrics_enabled=False,
        )
        try:
            sent = [
                producer.send(wire, key=topic.encode(), value=route.encode(), partition=0)
                for topic, route in routes.items()
            ]
            for one in sent:
                one.get(timeout=timeout + 1)
        except KafkaError as error:
            raise explained(error, self._settings) from error
        finally:
            producer.close(timeout=timeout)

    def _route(self, topics: Sequence[Topic]) -> list[str]:
        known = self.routes()
        new = {
            topic.name: Route(1, State.ACTIVE, len(self.partitions(topic.name)), since=now())
            for topic in topics
            if topic.name not in known
        }
        if new:
            self.write_routes(new)
        return [f"{name}: routed over {route.partitions} partitions" for name, route in new.items()]

    def add_partitions(self, topic: str, count: int) -> None:
        if len(self.partitions(topic)) < count:
            wire = wire_topic(self._settings, topic)

            def add(client: Any) -> None:
                client.create_partitions({wire: count})
                client.wait_for_topics([wire], timeout_ms=milliseconds(self._settings.request_timeout))

            self.call(add)

    # Dead letters

    def dead_letters(self, topic: str) -> int:
        dlq = topic + DEAD_LETTER_SUFFIX
        return self.waiting(dlq, wire_group(self._settings, REPLAY_GROUP, dlq))

    def delete_before(self, positions: Offsets) -> None:
        self.call(lambda client: client.delete_records(dict(positions)))


def now() -> str:
    """The time, as a routing record notes it."""
    return datetime.now(UTC).isoformat(timespec="seconds")
