"""What every bus promises, on the embedded log and on Kafka (TLS and SCRAM) alike."""

from __future__ import annotations

import asyncio
import itertools
import multiprocessing
import os
import signal
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from bus_logs import (
    TOPIC,
    Batches,
    EmbeddedLog,
    Inbox,
    KafkaLog,
    Log,
    cancelled,
    consuming,
    finished,
    id_of,
    quick,
    received,
    until,
)
from opentelemetry import trace
from prometheus_client import REGISTRY

from curbside.bus.delivery import DEAD_LETTER_HEADERS
from curbside.bus.kafka import KafkaBus
from curbside.bus.protocol import MAX_RECORD_BYTES, Bus, Record
from curbside.contracts.events import Event, encode
from curbside.errors import BadInput, TooLarge, Unavailable
from curbside.identity.tokens import METADATA
from curbside.storage.database import Database, sqlite_url
from curbside.storage.keys import KeyRing
from curbside.storage.migrate import migrate
from curbside.telemetry.tracing import configure_tracing
from curbside.testing.platform import FAST_BUS, publish, read_topic
from curbside.testing.servers.kafka import Broker, LocalKafka

TRACE, OTHER_TRACE = "4bf92f3577b34da6a3ce929d0e0e4736", "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"
_numbers = itertools.count()


@pytest.fixture(params=["embedded", "kafka"])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Log:
    if request.param == "embedded":
        return EmbeddedLog(tmp_path / "log.db")
    broker: Broker = request.getfixturevalue("kafka")
    secure = isinstance(broker, LocalKafka)
    prefix = f"bus{next(_numbers)}."
    settings = broker.settings("SASL_SSL" if secure else "PLAINTEXT", topic_prefix=prefix)
    # No broker goes down here: a machine that stands still for seconds must not look like one.
    return KafkaLog(quick(settings, request_timeout=timedelta(seconds=20)))


@pytest.fixture
async def bus(log: Log) -> AsyncIterator[Bus]:
    bus = log.open()
    if isinstance(bus, KafkaBus):
        await bus.provision([TOPIC])
    yield bus
    await bus.close()


async def test_records_of_one_key_arrive_in_the_order_they_were_published(bus: Bus) -> None:
    await publish(bus, [received(f"r{n}") for n in range(50)])
    inbox = Inbox(50)
    task = consuming(bus, inbox)
    await inbox.full()
    await cancelled(task)
    assert inbox.seen == [f"r{n}" for n in range(50)]


async def test_a_record_published_while_a_group_waits_reaches_it(bus: Bus) -> None:
    inbox = Inbox(1)
    task = consuming(bus, inbox)
    await publish(bus, [received("late")])
    await inbox.full()
    await cancelled(task)
    assert inbox.seen == ["late"]


async def test_each_group_gets_every_record_and_resumes_where_it_stopped(bus: Bus) -> None:
    await publish(bus, [received("a"), received("b")])
    for group in ("one", "two"):
        inbox = Inbox(2)
        task = consuming(bus, inbox, group)
        await inbox.full()
        await finished(bus, group)
        await cancelled(task)
    await publish(bus, [received("c")])
    inbox = Inbox(1)
    task = consuming(bus, inbox, "one")
    await inbox.full()
    await cancelled(task)
    assert inbox.seen == ["c"]


async def test_what_another_bus_on_the_same_log_publishes_arrives(bus: Bus, log: Log) -> None:
    inbox = Inbox(1)
    task = consuming(bus, inbox)
    elsewhere = log.open()
    await publish(elsewhere, [received("from elsewhere")])
    await inbox.full()
    await elsewhere.close()
    await cancelled(task)
    assert inbox.seen == ["from elsewhere"]


async def test_several_that_publish_at_once_keep_every_keys_order_and_lose_nothing(
    bus: Bus, log: Log
) -> None:
    elsewhere = log.open()

    async def publish_in_order(subject: str, by: Bus) -> None:
        for number in range(25):
            await publish(by, [received(f"{subject}/{number}", subject)])

    subjects = [f"s{number}" for number in range(8)]
    inbox = Inbox(8 * 25)
    task = consuming(bus, inbox, concurrency=2)
    await asyncio.gather(
        *(publish_in_order(name, by) for name, by in zip(subjects, itertools.cycle([bus, elsewhere])))
    )
    await until(lambda: len(set(inbox.seen)) == 8 * 25)
    await elsewhere.close()
    await cancelled(task)
    for subject in subjects:
        # A record may come twice (a busy machine lets a session expire); the order of first sight holds.
        mine = [seen for seen in dict.fromkeys(inbox.seen) if seen.startswith(f"{subject}/")]
        assert mine == [f"{subject}/{number}" for number in range(25)]


async def test_partitions_are_handled_side_by_side_as_far_as_the_concurrency_goes(bus: Bus) -> None:
    subjects = _apart(bus)
    await publish(bus, [received(subject, subject) for subject in subjects])
    for concurrency in (1, 2):
        entered: list[str] = []
        go = asyncio.Event()

        async def wait(event: Event, entered: list[str] = entered, go: asyncio.Event = go) -> None:
            entered.append(id_of(event))
            await go.wait()

        task = consuming(bus, wait, f"side-by-side-{concurrency}", concurrency=concurrency)
        await until(lambda entered=entered, most=concurrency: len(entered) == most)
        go.set()
        await until(lambda entered=entered: len(entered) == 2)
        await cancelled(task)
        assert sorted(entered) == sorted(subjects)


async def test_what_was_not_finished_when_its_consumer_went_is_fed_again(bus: Bus) -> None:
    await publish(bus, [received("done"), received("half done"), received("not begun")])
    seen: list[str] = []

    async def stop_in_the_second(event: Event) -> None:
        seen.append(id_of(event))
        if len(seen) == 2:
            await asyncio.Event().wait()

    task = consuming(bus, stop_in_the_second)
    await until(lambda: len(seen) == 2)
    await cancelled(task)
    inbox = Inbox(2)
    task = consuming(bus, inbox)
    await inbox.full()
    await cancelled(task)
    assert inbox.seen == ["half done", "not begun"]


def _handle_until_killed(log: Log, handled: str) -> None:
    async def consume() -> None:
        async def handle(event: Event) -> None:
            if id_of(event) == "half done":
                Path(handled).write_text(id_of(event))
                await asyncio.Event().wait()

        await consuming(log.open(), handle)

    asyncio.run(consume())


async def test_what_was_not_finished_when_its_process_was_killed_is_fed_to_the_next(
    bus: Bus, log: Log, tmp_path: Path
) -> None:
    await publish(bus, [received("done"), received("half done"), received("not begun")])
    handled = tmp_path / "handled"
    process = multiprocessing.get_context("spawn").Process(
        target=_handle_until_killed, args=(log, str(handled))
    )
    process.start()
    await until(handled.exists)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    inbox = Inbox(2)
    task = consuming(bus, inbox)
    await until(lambda: "not begun" in inbox.seen)
    await cancelled(task)
    assert [seen for seen in inbox.seen if seen != "done"] == ["half done", "not begun"]


async def test_an_event_that_comes_twice_has_its_effect_once(bus: Bus, tmp_path: Path, ring: KeyRing) -> None:
    url = sqlite_url(tmp_path, "identity")
    migrate("curbside.identity", url)
    database = Database("identity", url, METADATA, ring)
    twice, last = received("twice"), received("last")
    await publish(bus, [twice, twice, last])
    effects: list[str] = []

    async def handle(event: Event) -> None:
        async with database.begin() as transaction:
            if await transaction.first_time(event, "readers"):
                effects.append(id_of(event))

    task = consuming(bus, handle)
    await until(lambda: "last" in effects)
    await cancelled(task)
    await database.close()
    assert effects == ["twice", "last"]


async def test_a_failing_handler_is_tried_again_and_then_the_record_becomes_a_dead_letter(bus: Bus) -> None:
    inbox = Inbox(1)
    inbox.fail_with = [RuntimeError("no luck") for _ in range(FAST_BUS.max_attempts)]
    task = consuming(bus, inbox)
    await publish(bus, [received("poison"), received("good")])
    await inbox.full()
    await cancelled(task)
    assert inbox.seen == ["good"]
    assert inbox.attempts == FAST_BUS.max_attempts + 1
    assert await bus.dead_letters(TOPIC.name) == 1


async def test_what_can_never_succeed_is_not_tried_twice(bus: Bus) -> None:
    inbox = Inbox(1)
    inbox.fail_with = [BadInput("wrong for ever")]
    task = consuming(bus, inbox)
    await publish(bus, [received("hopeless"), received("good")])
    await inbox.full()
    await cancelled(task)
    assert inbox.attempts == 2


async def test_an_outage_is_waited_for_and_dead_letters_nothing(bus: Bus) -> None:
    inbox = Inbox(1)
    inbox.fail_with = [Unavailable("the database is down") for _ in range(FAST_BUS.max_attempts * 2)]
    task = consuming(bus, inbox)
    await publish(bus, [received("patient")])
    await inbox.full()
    await cancelled(task)
    assert inbox.seen == ["patient"]
    assert await bus.dead_letters(TOPIC.name) == 0


async def test_a_record_that_is_no_event_becomes_a_dead_letter(bus: Bus) -> None:
    inbox = Inbox(1)
    task = consuming(bus, inbox)
    await bus.publish(
        [Record(TOPIC.name, "k", b"\xff\xff\xff"), Record(TOPIC.name, "k", encode(received("ok")))]
    )
    await inbox.full()
    await cancelled(task)
    assert await bus.dead_letters(TOPIC.name) == 1


async def test_dead_letters_are_replayed_once(bus: Bus) -> None:
    inbox = Inbox(1)
    inbox.fail_with = [BadInput("not yet")]
    task = consuming(bus, inbox)
    await publish(bus, [received("second chance")])
    await _dead_letters(bus, 1)
    assert await bus.replay(TOPIC.name) == 1
    await inbox.full()
    await cancelled(task)
    assert inbox.seen == ["second chance"]
    assert await bus.dead_letters(TOPIC.name) == 0
    assert await bus.replay(TOPIC.name) == 0


async def test_a_dead_letter_says_why_and_a_replay_takes_that_off_again(bus: Bus, log: Log) -> None:
    inbox = Inbox(1)
    inbox.fail_with = [BadInput("not yet")]
    task = consuming(bus, inbox)
    event = received("second chance")
    await bus.publish([Record(TOPIC.name, event.key, encode(event), {"traceparent": PARENT, "x": "y"})])
    await _dead_letters(bus, 1)
    (dead,) = await log.headers_of(TOPIC.dead_letters)
    assert {name for name in dead if name.startswith("curbside-dlq-")} == set(DEAD_LETTER_HEADERS)
    assert dead["curbside-dlq-topic"] == TOPIC.name
    assert dead["curbside-dlq-group"] == "readers"
    assert dead["curbside-dlq-error"] == "input.invalid"
    assert dead["curbside-dlq-attempts"] == "1"
    await bus.replay(TOPIC.name)
    await inbox.full()
    await cancelled(task)
    headers = await log.headers_of(TOPIC.name)
    assert headers == [{"traceparent": PARENT, "x": "y"}] * 2


async def test_a_batch_handler_gets_consecutive_records_together_and_in_order(bus: Bus) -> None:
    await publish(bus, [received(str(number)) for number in range(40)])
    inbox = Batches(40)
    task = consuming(bus, inbox, handle_batch=inbox.together, batch_size=15)
    await inbox.full()
    await finished(bus)
    await cancelled(task)
    assert inbox.seen == [str(number) for number in range(40)]
    assert inbox.attempts == 0
    assert 3 <= len(inbox.batches) < 40
    assert max(map(len, inbox.batches)) <= 15


async def test_partitions_that_share_batches_keep_their_order_and_their_poison_to_themselves(
    bus: Bus,
) -> None:
    subjects = [f"s{number}" for number in range(8)]
    await publish(
        bus, [received(f"{subject}/{number}", subject) for number in range(10) for subject in subjects]
    )
    inbox = Batches(79)
    inbox.poison = {"s3/5"}
    task = consuming(bus, inbox, handle_batch=inbox.together, batch_size=25)
    await inbox.full()
    await finished(bus)
    await cancelled(task)
    assert max(map(len, inbox.batches)) <= 25
    for subject in subjects:
        numbers = [one.removeprefix(f"{subject}/") for one in inbox.seen if one.startswith(f"{subject}/")]
        assert numbers == [str(number) for number in range(10) if (subject, number) != ("s3", 5)]
    assert await bus.dead_letters(TOPIC.name) == 1


async def test_of_a_batch_that_fails_the_poison_alone_becomes_a_dead_letter(bus: Bus) -> None:
    events = [received(str(number)) for number in range(10)]
    records = [Record(TOPIC.name, event.key, encode(event)) for event in events]
    unreadable = Record(TOPIC.name, events[0].key, b"\xff\xff\xff")
    await bus.publish([*records[:8], unreadable, *records[8:]])
    inbox = Batches(9)
    inbox.poison = {"3"}
    task = consuming(bus, inbox, handle_batch=inbox.together, batch_size=4)
    await inbox.full()
    await finished(bus)
    await cancelled(task)
    assert inbox.seen == ["0", "1", "2", "4", "5", "6", "7", "8", "9"]
    assert await bus.dead_letters(TOPIC.name) == 2


async def test_a_batch_waits_for_an_outage(bus: Bus) -> None:
    inbox = Batches(3)
    inbox.batch_fails_with = [Unavailable("the database is down") for _ in range(FAST_BUS.max_attempts * 2)]
    await publish(bus, [received(str(number)) for number in range(3)])
    task = consuming(bus, inbox, handle_batch=inbox.together)
    await inbox.full()
    await cancelled(task)
    assert inbox.attempts == 0
    assert await bus.dead_letters(TOPIC.name) == 0


async def test_a_large_record_passes_and_a_larger_one_is_refused_with_the_limit(bus: Bus) -> None:
    large = replace(received("large"), trace_parent="x" * 900_000)
    inbox = Inbox(1)
    task = consuming(bus, inbox)
    await publish(bus, [large])
    await inbox.full()
    await finished(bus)
    await cancelled(task)
    with pytest.raises(TooLarge, match=f"{MAX_RECORD_BYTES:,} bytes"):
        await bus.publish([Record(TOPIC.name, "k", b"small"), Record(TOPIC.name, "k", b"x" * 1_000_001)])
    assert await bus.lag(TOPIC.name, "readers") == 0


async def test_many_large_records_of_one_key_stay_in_order(bus: Bus) -> None:
    events = [replace(received(str(number)), trace_parent="x" * 400_000) for number in range(12)]
    await publish(bus, events)
    inbox = Inbox(12)
    task = consuming(bus, inbox)
    await inbox.full()
    await cancelled(task)
    assert inbox.seen == [str(number) for number in range(12)]


async def test_a_clock_that_is_wrong_changes_neither_order_nor_what_is_kept(bus: Bus) -> None:
    now = datetime.now(UTC)
    skewed = [
        replace(received(str(number)), occurred_at=now + timedelta(days=days))
        for number, days in enumerate([0, 3650, -3650, 1, -1])
    ]
    await publish(bus, skewed)
    assert [id_of(event) for event in await read_topic(bus, TOPIC)] == ["0", "1", "2", "3", "4"]


async def test_the_lag_of_a_group_is_shown_while_it_is_behind_and_when_it_is_not(bus: Bus) -> None:
    labels = {"topic": TOPIC.name, "group": f"shown-{next(_numbers)}"}

    def shown() -> float | None:
        return REGISTRY.get_sample_value("curbside_bus_lag_messages", labels)

    go = asyncio.Event()

    async def wait(_: Event) -> None:
        await go.wait()

    await publish(bus, [received(f"r{n}") for n in range(3)])
    task = consuming(bus, wait, labels["group"])
    await until(lambda: shown() == 3)
    go.set()
    await until(lambda: shown() == 0)
    await cancelled(task)


class Traced:
    """A handler that keeps the trace it was called in, and the traces that its span is linked to."""

    def __init__(self) -> None:
        self.trace_ids: list[str] = []
        self.links: list[str] = []
        self.called = asyncio.Event()

    async def __call__(self, _: object) -> None:
        span = trace.get_current_span()
        self.trace_ids.append(format(span.get_span_context().trace_id, "032x"))
        self.links += [format(link.context.trace_id, "032x") for link in getattr(span, "links", ())]
        self.called.set()


@pytest.mark.parametrize(
    ("header", "envelope"),
    [(PARENT, ""), (PARENT, PARENT.replace(TRACE, OTHER_TRACE)), (None, PARENT)],
    ids=["header alone", "header before envelope", "envelope alone"],
)
async def test_a_consumer_continues_the_trace_that_the_record_names(
    bus: Bus, header: str | None, envelope: str
) -> None:
    configure_tracing("test", None)
    event = replace(received("traced"), trace_parent=envelope)
    headers = {"traceparent": header} if header else {}
    await bus.publish([Record(TOPIC.name, event.key, encode(event), headers)])
    single, batch = Traced(), Traced()
    tasks = [consuming(bus, single), consuming(bus, single, "batches", handle_batch=batch)]
    await asyncio.wait_for(asyncio.gather(single.called.wait(), batch.called.wait()), 30)
    await cancelled(*tasks)
    assert single.trace_ids == [TRACE]
    assert batch.links == [TRACE]


def _publish_until_killed(log: Log, acknowledged: str) -> None:
    async def forever() -> None:
        bus = log.open()
        with open(acknowledged, "a", buffering=1) as file:
            for number in range(1_000_000):
                await publish(bus, [received(str(number))])
                file.write(f"{number}\n")

    asyncio.run(forever())


async def test_what_was_acknowledged_survives_a_kill(bus: Bus, log: Log, tmp_path: Path) -> None:
    acknowledged = tmp_path / "acknowledged"
    acknowledged.touch()
    process = multiprocessing.get_context("spawn").Process(
        target=_publish_until_killed, args=(log, str(acknowledged))
    )
    process.start()
    await until(lambda: acknowledged.read_text().count("\n") >= 20)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    promised = acknowledged.read_text().split("\n")[:-1]
    kept = {id_of(event) for event in await read_topic(bus, TOPIC)}
    assert set(promised) <= kept


async def _dead_letters(bus: Bus, count: int) -> None:
    async def wait() -> None:
        while await bus.dead_letters(TOPIC.name) != count:
            await asyncio.sleep(0.01)

    await asyncio.wait_for(wait(), 30)


def _apart(bus: Bus) -> list[str]:
    """Two subjects whose events lie in different partitions, by the hash that both halves use."""
    from zlib import crc32

    names = [f"s{number}" for number in range(20)]
    even = next(name for name in names if not crc32(f"default:{name}".encode()) % 2)
    odd = next(name for name in names if crc32(f"default:{name}".encode()) % 2)
    return [even, odd]
