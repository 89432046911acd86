"""Where a key goes, and in which waves what waits is sent: rules that no broker is needed for."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curbside.bus.kafka.client import BusRefused, connection, explained, wire_group, wire_topic
from curbside.bus.kafka.publishing import Publisher, _Call
from curbside.bus.kafka.routing import NotProvisioned, Route, State, TopicDraining
from curbside.bus.protocol import MAX_RECORD_BYTES, Record
from curbside.contracts.topics import TOPICS
from curbside.errors import OperatorError, Unavailable
from curbside.settings import BadSetting, KafkaSettings

SETTINGS = KafkaSettings(bootstrap_servers="a:9092, b:9092", security_protocol="PLAINTEXT")


@pytest.mark.parametrize(
    ("key", "three", "six"),
    [("default:s2", 1, 4), ("default:s3", 0, 0), ("default:s7", 2, 5), ("tenant", 2, 2), ("ä:ß", 2, 2)],
)
def test_a_key_keeps_its_partition_over_releases(key: str, three: int, six: int) -> None:
    assert Route(1, State.ACTIVE, 3).partition_of(key) == three
    assert Route(1, State.ACTIVE, 6).partition_of(key) == six


@pytest.mark.parametrize(
    "route",
    [Route(1, State.ACTIVE, 12), Route(7, State.DRAINING, 12, target=24, since="2026-11-25T01:00:00+00:00")],
)
def test_a_route_comes_back_from_its_record(route: Route) -> None:
    assert Route.decode(route.encode()) == route


def publisher(**routes: Route) -> Publisher:
    made = Publisher(SETTINGS)
    made._table._routes.update(routes)
    return made


@given(
    st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(1, 400_000)), min_size=1, max_size=40),
    st.integers(1, 4),
)
def test_waves_keep_every_partitions_order_and_stay_within_a_batch(
    records: list[tuple[str, int]], calls: int
) -> None:
    made = publisher(topic=Route(1, State.ACTIVE, 3))
    all_records = [Record("topic", key, b"x" * size) for key, size in records]
    cuts = sorted(random.Random(0).choices(range(len(all_records) + 1), k=calls - 1))
    parts = zip([0, *cuts], [*cuts, len(all_records)], strict=True)
    waves = made._waves([_Call(all_records[start:end]) for start, end in parts])
    sent: dict[int, list[Record]] = {}
    for wave in waves:
        for (_, partition), brought in wave.items():
            assert sum(record.size for _, record in brought) <= MAX_RECORD_BYTES
            sent.setdefault(partition, []).extend(record for _, record in brought)
    route = Route(1, State.ACTIVE, 3)
    for partition, found in sent.items():
        expected = [record for record in all_records if route.partition_of(record.key) == partition]
        assert [id(record) for record in found] == [id(record) for record in expected]


def test_a_topic_that_drains_fails_its_own_calls_alone() -> None:
    made = publisher(
        still=Route(1, State.ACTIVE, 3),
        drains=Route(2, State.DRAINING, 3, target=6),
        other=Route(1, State.ACTIVE, 1),
    )
    good, bad, unknown = (_Call([Record(topic, "k", b"x")]) for topic in ("still", "drains", "unknown"))
    (wave,) = made._waves([good, bad, unknown])
    assert [call for brought in wave.values() for call, _ in brought] == [good]
    assert good.error is None
    assert isinstance(bad.error, TopicDraining)
    assert isinstance(unknown.error, NotProvisioned)


def test_dead_letters_go_to_one_partition_whatever_their_topics_count() -> None:
    for topic in TOPICS.values():
        assert publisher()._table.of(topic.dead_letters).partitions == 1


def test_a_prefix_stands_before_topics_and_groups() -> None:
    settings = SETTINGS.model_copy(update={"topic_prefix": "hospital."})
    assert wire_topic(settings, "curbside.x.v1") == "hospital.curbside.x.v1"
    assert wire_group(settings, "datasets", "curbside.x.v1") == "hospital.datasets@curbside.x.v1"


def test_several_servers_are_separated_by_commas() -> None:
    assert connection(SETTINGS)["bootstrap_servers"] == ["a:9092", "b:9092"]


@pytest.mark.parametrize("servers", ["", "a:9092,,b:9092"])
def test_an_empty_server_is_refused(servers: str) -> None:
    with pytest.raises(BadSetting, match="BOOTSTRAP_SERVERS"):
        connection(SETTINGS.model_copy(update={"bootstrap_servers": servers}))


def test_scram_needs_a_user() -> None:
    with pytest.raises(BadSetting, match="USERNAME"):
        connection(SETTINGS.model_copy(update={"security_protocol": "SASL_PLAINTEXT"}))


def test_a_refusal_is_the_operators_where_we_start_and_an_outage_later() -> None:
    from kafka.errors import KafkaTimeoutError, SaslAuthenticationFailedError, TopicAuthorizationFailedError

    for error in (SaslAuthenticationFailedError("x"), TopicAuthorizationFailedError("x")):
        refused = explained(error, SETTINGS)
        assert isinstance(refused, BusRefused)
        assert isinstance(refused, OperatorError)
        assert isinstance(refused, Unavailable)
        assert refused.status == 503
    assert not isinstance(explained(KafkaTimeoutError("x"), SETTINGS), OperatorError)
