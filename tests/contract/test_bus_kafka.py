"""What only Kafka can be asked: refusals, members that share and take over, a broker that dies, growth."""

from __future__ import annotations

import asyncio
import itertools
import math
import select
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from bus_logs import TOPIC, Inbox, KafkaLog, cancelled, consuming, finished, id_of, quick, received, until
from kafka.errors import KafkaConnectionError
from kafka.future import Future

from curbside.bus.kafka import BusRefused, KafkaBus, check_security, transports
from curbside.bus.kafka.client import connect, wire_topic
from curbside.bus.kafka.consuming import Reader
from curbside.bus.kafka.growing import NotDrained
from curbside.bus.kafka.replaying import replay
from curbside.bus.kafka.routing import Route, State, TopicDraining
from curbside.bus.protocol import Record, Subscription
from curbside.contracts.events import Event
from curbside.errors import BadInput, CurbsideError, OperatorError, Unavailable
from curbside.settings import BadSetting, KafkaSettings, Profile
from curbside.testing.platform import FAST_BUS, publish, read_topic
from curbside.testing.servers.certificates import write_certificates
from curbside.testing.servers.kafka import LocalKafka
from curbside.testing.takeover import take_over

_numbers = itertools.count()


@pytest.fixture
def settings(apache_kafka: LocalKafka) -> KafkaSettings:
    return quick(apache_kafka.settings("SASL_SSL", topic_prefix=f"only{next(_numbers)}."))


@pytest.fixture
async def bus(settings: KafkaSettings) -> AsyncIterator[KafkaBus]:
    bus = KafkaBus(settings, FAST_BUS)
    await bus.provision([TOPIC])
    yield bus
    await bus.close()


@pytest.fixture
def mortal(mortal_kafka: LocalKafka) -> Iterator[LocalKafka]:
    """A broker to be killed: it is there again after the test."""
    yield mortal_kafka
    mortal_kafka.start()


@pytest.fixture
async def on_mortal(mortal: LocalKafka) -> AsyncIterator[KafkaBus]:
    bus = KafkaBus(quick(mortal.settings("SASL_SSL", topic_prefix=f"mortal{next(_numbers)}.")), FAST_BUS)
    await bus.provision([TOPIC])
    yield bus
    await bus.close()


# Refusals


async def refusal(settings: KafkaSettings) -> CurbsideError:
    bus = KafkaBus(settings, FAST_BUS)
    try:
        with pytest.raises(CurbsideError) as refused:
            await bus.check()
        with pytest.raises(Unavailable):  # what an outbox waits for
            await publish(bus, [received("refused")])
        return refused.value
    finally:
        await bus.close()


async def test_a_broker_whose_certificate_nobody_we_trust_signed_is_refused(
    settings: KafkaSettings, tmp_path: Path
) -> None:
    write_certificates(tmp_path)
    error = await refusal(settings.model_copy(update={"ca_file": tmp_path / "ca.pem"}))
    assert isinstance(error, OperatorError)
    assert "not one that we trust" in error.message
    assert error.mend is not None
    assert "CURBSIDE_KAFKA__CA_FILE" in error.mend


async def test_a_wrong_password_is_named_with_its_user(settings: KafkaSettings, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("wrong")
    error = await refusal(settings.model_copy(update={"password_file": tmp_path / "password"}))
    assert isinstance(error, OperatorError)
    assert "refused the password of the user 'curbside'" in error.message
    assert error.mend is not None
    assert "CURBSIDE_KAFKA__PASSWORD_FILE" in error.mend


async def test_a_password_file_that_is_not_there_is_named(settings: KafkaSettings, tmp_path: Path) -> None:
    error = await refusal(settings.model_copy(update={"password_file": tmp_path / "absent"}))
    assert isinstance(error, OperatorError)
    assert "absent" in error.message


async def test_a_user_who_may_do_nothing_is_told_so(apache_kafka: LocalKafka, bus: KafkaBus) -> None:
    prefix = bus._settings.topic_prefix
    stranger = KafkaBus(quick(apache_kafka.settings("SASL_SSL", topic_prefix=prefix, user="stranger")))
    with pytest.raises(BusRefused, match="does not allow this to the user 'stranger'"):
        await stranger.provision([TOPIC])
    with pytest.raises(Unavailable):
        await publish(stranger, [received("forbidden")])
    await stranger.close()


async def test_a_broker_that_speaks_no_tls_is_called_one(apache_kafka: LocalKafka) -> None:
    plain = apache_kafka.servers("PLAINTEXT")
    settings = quick(apache_kafka.settings("SASL_SSL")).model_copy(update={"bootstrap_servers": plain})
    assert isinstance(await refusal(settings), Unavailable)


async def test_a_broker_that_is_not_there_is_an_outage(settings: KafkaSettings) -> None:
    error = await refusal(settings.model_copy(update={"bootstrap_servers": "127.0.0.1:1"}))
    assert isinstance(error, Unavailable)
    assert not isinstance(error, OperatorError)
    assert error.mend is not None


async def test_a_server_that_accepts_and_says_nothing_is_not_waited_for_without_limit(
    settings: KafkaSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transports, "_HANDSHAKE", timedelta(milliseconds=200))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        where = f"127.0.0.1:{silent.getsockname()[1]}"
        assert type(await refusal(settings.model_copy(update={"bootstrap_servers": where}))) is Unavailable


def test_what_comes_with_the_end_of_a_connection_is_heard() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        ours = socket.create_connection(server.getsockname())
        theirs, _ = server.accept()
    theirs.sendall(b"refused")
    theirs.close()
    ours.setblocking(False)
    transport = transports.TcpTransport(None, ours)
    select.select([ours], [], [], 5)
    assert transport._sock_recv() == (b"refused", None)
    received_then, error = transport._sock_recv()
    assert received_then == b""
    assert isinstance(error, KafkaConnectionError)
    ours.close()


async def test_a_client_certificate_opens_the_listener_that_asks_for_one(apache_kafka: LocalKafka) -> None:
    bus = KafkaBus(quick(apache_kafka.settings("SSL", topic_prefix="certificate.")), FAST_BUS)
    await bus.check()
    await bus.close()


@pytest.mark.parametrize("protocol", ["PLAINTEXT", "SASL_PLAINTEXT"])
def test_production_refuses_to_speak_in_the_clear(protocol: str) -> None:
    settings = KafkaSettings(bootstrap_servers="kafka:9092", security_protocol=protocol)  # type: ignore[arg-type]
    with pytest.raises(BadSetting, match="SASL_SSL"):
        check_security(settings, Profile.PRODUCTION)
    check_security(settings, Profile.DEVELOPMENT)
    check_security(settings.model_copy(update={"security_protocol": "SASL_SSL"}), Profile.PRODUCTION)


async def test_a_topic_that_was_not_provisioned_says_what_to_run(settings: KafkaSettings) -> None:
    bus = KafkaBus(settings, FAST_BUS)
    for _ in range(2):
        with pytest.raises(BusRefused) as refused:
            await publish(bus, [received("too early")])
        assert refused.value.mend is not None
        assert "curbside provision" in refused.value.mend
    await bus.provision([TOPIC])
    await publish(bus, [received("in time")])
    assert [id_of(event) for event in await read_topic(bus, TOPIC)] == ["in time"]
    await bus.close()


# Topics


async def test_provisioning_again_changes_nothing_and_corrects_what_was_changed(bus: KafkaBus) -> None:
    assert await bus.provision([TOPIC]) == []
    longer = replace(TOPIC, retention=timedelta(days=100), partitions=4)
    done = await bus.provision([longer])
    assert done == [
        f"{TOPIC.name}: left with 2 partitions, though 4 are wanted: grow it",
        f"{TOPIC.name}: retention.ms is 8640000000, was 7776000000",
    ]


async def test_more_copies_than_brokers_are_refused_with_what_to_set(settings: KafkaSettings) -> None:
    bus = KafkaBus(settings.model_copy(update={"replication_factor": 3}), FAST_BUS)
    with pytest.raises(BusRefused, match="fewer than 3 brokers"):
        await bus.provision([TOPIC])
    await bus.close()


async def test_the_brokers_clock_stamps_a_record(bus: KafkaBus) -> None:
    await publish(bus, [received("stamped")])
    (record,) = await KafkaLog(bus._settings).records(TOPIC.name)
    assert record.timestamp_type == 1  # LogAppendTime


# Members


async def test_two_consumers_share_the_partitions_and_one_that_leaves_hands_over_at_once(
    bus: KafkaBus, settings: KafkaSettings
) -> None:
    subjects = [f"s{number}" for number in range(20)]
    first, second = Inbox(1), Inbox(1)
    other = KafkaBus(settings, FAST_BUS)
    tasks = [consuming(bus, first, concurrency=2)]
    await publish(bus, [received("0", subject) for subject in subjects])
    await until(lambda: len(first.seen) == 20)
    tasks.append(consuming(other, second, concurrency=2))
    rounds = itertools.count(1)
    while not second.seen:
        await publish(bus, [received(str(next(rounds)), subject) for subject in subjects])
        await finished(bus)
    await cancelled(tasks[1])
    before = len(first.seen)
    await publish(bus, [received("last", subject) for subject in subjects])
    await until(lambda: first.seen.count("last") == 20)
    assert before >= 20
    await cancelled(tasks[0])
    await other.close()


async def test_one_that_is_killed_is_replaced_within_the_session_timeout_and_order_holds(
    settings: KafkaSettings, apache_kafka: LocalKafka, tmp_path: Path
) -> None:
    done = await take_over(tmp_path, settings, count=3_000, subjects=60, partitions=4)
    assert done.missing == 0
    assert done.unordered == ()
    # What is beyond the session timeout is the rebalance itself, on a machine that does other things too.
    assert done.took_over_after < settings.session_timeout.total_seconds() + 5


async def test_a_long_handler_costs_no_membership_and_is_waited_for_when_its_partition_moves(
    bus: KafkaBus, settings: KafkaSettings
) -> None:
    """It outlasts the session, and the other member gets the partition only when it has finished."""
    subjects = [f"s{number}" for number in range(20)]
    go = asyncio.Event()
    begun: list[str] = []
    ended: list[str] = []

    async def slow(event: Event) -> None:
        begun.append(event.subject)
        await go.wait()
        ended.append(event.subject)

    await publish(bus, [received("slow", subject) for subject in subjects])
    patient = KafkaBus(settings.model_copy(update={"revoke_timeout": timedelta(seconds=60)}), FAST_BUS)
    holder = consuming(patient, slow, concurrency=2)
    await until(lambda: len(begun) == 2)
    held = list(begun)
    second = Inbox(1)
    joiner = consuming(bus, second, concurrency=2)
    over = time.monotonic() + 2 * settings.session_timeout.total_seconds()
    await until(lambda: time.monotonic() > over)
    assert ended == []
    assert second.seen == []
    go.set()
    await until(lambda: set(held) <= set(ended))
    await finished(bus)
    assert ended.count(held[0]) == 1
    assert ended.count(held[1]) == 1
    assert len(ended) + len(second.seen) == len(subjects)
    await cancelled(holder, joiner)
    await patient.close()


async def test_a_group_whose_members_are_busy_comes_to_rest_when_one_joins(
    bus: KafkaBus, settings: KafkaSettings
) -> None:
    async def never(_: Event) -> None:
        await asyncio.Event().wait()

    async def nothing_fails(_: Record) -> None:
        raise AssertionError("nothing failed")

    await publish(bus, [received(str(number), f"s{number}") for number in range(20)])
    impatient = settings.model_copy(update={"revoke_timeout": timedelta(seconds=1)})
    readers = [
        Reader(Subscription(TOPIC, "busy", never, 2), impatient, FAST_BUS, nothing_fails) for _ in range(2)
    ]
    tasks = [asyncio.create_task(readers[0].run())]
    await until(lambda: len(readers[0]._partitions) == 2)
    tasks.append(asyncio.create_task(readers[1].run()))
    await until(lambda: [len(reader._partitions) for reader in readers] == [1, 1])
    # One generation each: to join, to revoke, to assign; and as many again for what chance may do.
    assert readers[0]._consumer.group_metadata().generation_id <= 6
    await cancelled(*tasks)


async def test_a_handler_that_does_not_end_gives_its_partition_up_unfinished(
    bus: KafkaBus, settings: KafkaSettings
) -> None:
    subjects = [f"s{number}" for number in range(20)]
    begun: list[str] = []

    async def never(event: Event) -> None:
        begun.append(event.subject)
        await asyncio.Event().wait()

    await publish(bus, [received(subject, subject) for subject in subjects])
    impatient = KafkaBus(settings.model_copy(update={"revoke_timeout": timedelta(seconds=1)}), FAST_BUS)
    holder = consuming(impatient, never, concurrency=2)
    await until(lambda: len(begun) == 2)
    second = Inbox(1)
    joiner = consuming(bus, second, concurrency=2)
    await second.full()
    assert second.seen[0] in begun  # from where it was, not from behind it
    await cancelled(holder)
    await until(lambda: set(second.seen) == set(subjects))
    await cancelled(joiner)
    await impatient.close()


async def test_a_slow_handler_does_not_make_memory_grow(bus: KafkaBus, settings: KafkaSettings) -> None:
    """40 MB stand before a handler that takes nothing: a few of them are fetched, and the rest waits."""
    large = [replace(received(str(number)), trace_parent="x" * 100_000) for number in range(40)]
    for _ in range(10):
        await publish(bus, large)
    go = asyncio.Event()
    seen: list[str] = []

    async def slow(event: Event) -> None:
        await go.wait()
        seen.append(id_of(event))

    async def never(_: Record) -> None:
        raise AssertionError("nothing failed")

    reader = Reader(Subscription(TOPIC, "slow", slow), settings, FAST_BUS, never)
    task = asyncio.create_task(reader.run())
    await until(lambda: any(one.paused for one in reader._partitions.values()))
    (partition,) = reader._partitions.values()
    assert sum(len(one.value) for one in partition.waiting) < 12_000_000
    go.set()
    await until(lambda: len(seen) == 400)
    assert seen == [str(number) for number in range(40)] * 10
    await cancelled(task)


def fetches_no_more(consumer: Any) -> Callable[[], bool]:
    """A validation of its position that nobody answers: one of kafka-python's silent states."""
    for state in consumer._subscription.assignment.values():
        state._awaiting_validation, state.next_allowed_retry_time = True, math.inf
    return lambda: True


def waits_for_ever(consumer: Any) -> Callable[[], bool]:
    waiting = threading.Event()

    def poll(**_: Any) -> Any:
        waiting.set()
        return consumer._client._net.run(Future())

    consumer.poll = poll
    return waiting.is_set


@pytest.mark.parametrize("stall", [fetches_no_more, waits_for_ever])
async def test_a_consumer_that_stands_still_is_made_anew(
    stall: Callable[[Any], Callable[[], bool]],
    bus: KafkaBus,
    settings: KafkaSettings,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    readers: list[Reader] = []

    class Kept(Reader):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            readers.append(self)

    monkeypatch.setattr("curbside.bus.kafka.bus.Reader", Kept)
    watched = KafkaBus(settings.model_copy(update={"stall_timeout": timedelta(seconds=1)}), FAST_BUS)
    inbox = Inbox(20)
    task = consuming(watched, inbox)
    await publish(bus, [received(f"first {number}", f"s{number}") for number in range(10)])
    await until(lambda: len(inbox.seen) == 10)
    # A poll that is under way would still bring what is published now.
    await until(stall(readers[0]._consumer))
    await publish(bus, [received(f"then {number}", f"s{number}") for number in range(10)])
    await inbox.full()
    assert len(set(inbox.seen)) == 20
    assert "consumer stands still" in caplog.messages
    await finished(bus)
    await cancelled(task)
    await watched.close()


# Replays


async def test_a_replay_that_is_interrupted_drops_nothing_that_was_not_published(bus: KafkaBus) -> None:
    async def refuse(_: Event) -> None:
        raise BadInput("not yet")

    async def run(work: Callable[[], Any]) -> Any:
        return await asyncio.to_thread(work)

    async def publish_and_die(records: Sequence[Record]) -> None:
        await bus.publish(records)
        raise Unavailable("the process is killed here")

    events = [received(str(number)) for number in range(3)]
    await publish(bus, events)
    task = consuming(bus, refuse)
    await finished(bus)
    await cancelled(task)
    with pytest.raises(Unavailable):
        await replay(TOPIC.name, bus._settings, publish=publish_and_die, admin=bus._admin, run=run)
    assert await bus.dead_letters(TOPIC.name) == 3
    assert await bus.replay(TOPIC.name) == 3
    assert await bus.dead_letters(TOPIC.name) == 0
    assert [id_of(event) for event in await read_topic(bus, TOPIC)] == ["0", "1", "2"] * 3


# A broker that dies


async def test_what_was_acknowledged_survives_kill_9_of_the_broker_and_both_sides_go_on(
    on_mortal: KafkaBus, mortal: LocalKafka
) -> None:
    inbox = Inbox(1)
    task = consuming(on_mortal, inbox)
    acknowledged: list[str] = []
    stop = asyncio.Event()

    async def publish_on() -> None:
        for number in itertools.count():
            if stop.is_set():
                return
            event = received(str(number))
            while True:
                try:
                    await publish(on_mortal, [event])
                except Unavailable:
                    await asyncio.sleep(0.05)
                else:
                    break
            acknowledged.append(str(number))

    publishing = asyncio.create_task(publish_on())
    await until(lambda: len(inbox.seen) > 20)
    mortal.kill()
    reached = len(acknowledged)
    mortal.start()
    await until(lambda: len(acknowledged) > reached + 20, 60)
    stop.set()
    await publishing
    await until(lambda: set(acknowledged) <= set(inbox.seen), 60)
    first_seen = list(dict.fromkeys(inbox.seen))
    assert first_seen == [str(number) for number in range(len(first_seen))]
    await cancelled(task)


async def test_a_consumer_is_cancelled_although_the_broker_is_gone(
    on_mortal: KafkaBus, mortal: LocalKafka
) -> None:
    inbox = Inbox(1)
    task = consuming(on_mortal, inbox)
    await publish(on_mortal, [received("before")])
    await inbox.full()
    mortal.kill()
    await asyncio.wait_for(cancelled(task), 20)
    with pytest.raises(Unavailable):
        await publish(on_mortal, [received("into nothing")])


# Growth


async def test_a_topic_grows_while_it_is_published_to_and_every_keys_order_holds(
    settings: KafkaSettings,
) -> None:
    """Keys change their partition; nobody sees their events out of order, and none is lost."""
    topic = replace(TOPIC, partitions=3)
    bus, elsewhere = KafkaBus(settings, FAST_BUS), KafkaBus(settings, FAST_BUS)
    await bus.provision([topic])
    subjects = [f"s{number}" for number in range(24)]
    published: dict[str, int] = dict.fromkeys(subjects, 0)
    seen: dict[str, list[int]] = {subject: [] for subject in subjects}
    refused = 0
    stop = asyncio.Event()

    async def handle(event: Event) -> None:
        seen[event.subject].append(int(id_of(event)))

    async def publish_on(mine: list[str], by: KafkaBus) -> None:
        nonlocal refused
        while not stop.is_set():
            events = [received(str(published[subject]), subject) for subject in mine]
            try:
                await publish(by, events)
            except Unavailable as error:
                refused += isinstance(error, TopicDraining)
                await asyncio.sleep(0.02)
            else:
                for subject in mine:
                    published[subject] += 1

    consumers = [consuming(bus, handle, concurrency=3), consuming(elsewhere, handle, concurrency=3)]
    publishers = [
        asyncio.create_task(publish_on(subjects[:12], bus)),
        asyncio.create_task(publish_on(subjects[12:], elsewhere)),
    ]
    await until(lambda: all(len(numbers) > 5 for numbers in seen.values()))
    (said,) = await bus.grow(TOPIC.name, 6, patience=timedelta(seconds=60))
    assert "routed over 6 partitions, was 3" in said
    reached = dict(published)
    await until(lambda: all(published[subject] > reached[subject] + 5 for subject in subjects))
    stop.set()
    await asyncio.gather(*publishers)
    await until(lambda: all(len(set(seen[subject])) == published[subject] for subject in subjects))
    assert refused
    for subject in subjects:
        assert list(dict.fromkeys(seen[subject])) == list(range(published[subject]))
    used = {record.partition for record in await KafkaLog(settings).records(TOPIC.name)}
    assert used == set(range(6))
    assert await bus.grow(TOPIC.name, 6) == []
    await cancelled(*consumers)
    await bus.close()
    await elsewhere.close()


async def test_partitions_that_somebody_adds_by_hand_move_no_key(bus: KafkaBus) -> None:
    from kafka import KafkaAdminClient

    subjects = [f"s{number}" for number in range(12)]
    await publish(bus, [received("before", subject) for subject in subjects])
    admin = connect(KafkaAdminClient, bus._settings)
    admin.create_partitions({wire_topic(bus._settings, TOPIC.name): 5})
    admin.close()
    fresh = KafkaBus(bus._settings, FAST_BUS)
    await publish(fresh, [received("after", subject) for subject in subjects])
    await fresh.close()
    places: dict[bytes, set[int]] = {}
    for record in await KafkaLog(bus._settings).records(TOPIC.name):
        places.setdefault(record.key, set()).add(record.partition)
    assert all(len(used) == 1 for used in places.values())


async def test_a_growth_that_consumers_hold_up_leaves_the_topic_as_it_was(bus: KafkaBus) -> None:
    await publish(bus, [received("waits")])

    async def never(_: Event) -> None:
        await asyncio.Event().wait()

    task = consuming(bus, never, "asleep")
    with pytest.raises(NotDrained, match=r"asleep@.* \(1 records\)"):
        await bus.grow(TOPIC.name, 4, patience=timedelta(0))
    await cancelled(task)
    assert await bus._run(bus._admin.routes) == {
        TOPIC.name: replace((await bus._run(bus._admin.routes))[TOPIC.name], version=3, partitions=2)
    }
    await publish(bus, [received("goes on")])
    with pytest.raises(BadInput, match="never shrinks"):
        await bus.grow(TOPIC.name, 1)


@pytest.mark.parametrize("added", [False, True], ids=["before partitions were added", "after"])
async def test_a_growth_that_was_interrupted_is_continued_or_undone(bus: KafkaBus, added: bool) -> None:
    interrupted = Route(2, State.DRAINING, 2, target=4)
    await bus._run(lambda: bus._admin.write_routes({TOPIC.name: interrupted}))
    if added:
        await bus._run(lambda: bus._admin.add_partitions(TOPIC.name, 4))
    with pytest.raises(TopicDraining):
        await _publish_until_known(bus)
    assert await bus.abort_growth(TOPIC.name)
    assert not await bus.abort_growth(TOPIC.name)
    await _publish_when_known(bus)
    await bus._run(lambda: bus._admin.write_routes({TOPIC.name: replace(interrupted, version=4)}))
    await bus.grow(TOPIC.name, 4)
    route = (await bus._run(bus._admin.routes))[TOPIC.name]
    assert (route.version, route.state, route.partitions) == (5, State.ACTIVE, 4)
    await _publish_when_known(bus)


async def _publish_until_known(bus: KafkaBus) -> None:
    """Within a lease the table may be an older one."""
    while True:
        await publish(bus, [received("x")])


async def _publish_when_known(bus: KafkaBus) -> None:
    while True:
        try:
            return await publish(bus, [received("x")])
        except TopicDraining:
            await asyncio.sleep(0.02)
