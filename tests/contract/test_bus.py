"""What every bus promises, run against the embedded log (and, from issue 3 on, Kafka)."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from curbside.bus.embedded import EmbeddedBus
from curbside.bus.protocol import Record, Subscription
from curbside.contracts.events import Event, decode, encode, new_event
from curbside.contracts.topics import REPORTS_RECEIVED
from curbside.contracts.v1 import events_pb2
from curbside.errors import BadInput, Unavailable
from curbside.testing.platform import FAST_BUS, publish

TOPIC = REPORTS_RECEIVED


def received(report_id: str, subject: str = "s1") -> Event:
    return new_event(events_pb2.ReportReceived(report_id=report_id), tenant="default", subject=subject)


def id_of(event: Event) -> str:
    assert isinstance(event.payload, events_pb2.ReportReceived)
    return event.payload.report_id


@pytest.fixture
async def bus(tmp_path: Path) -> AsyncIterator[EmbeddedBus]:
    bus = EmbeddedBus(tmp_path / "log.db", FAST_BUS)
    yield bus
    await bus.close()


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
        self.seen.append(id_of(event))
        if len(self.seen) >= self._expected:
            self._done.set()

    async def full(self) -> None:
        await asyncio.wait_for(self._done.wait(), 20)


async def consuming(bus: EmbeddedBus, inbox: Inbox, group: str = "readers") -> asyncio.Task[None]:
    return asyncio.create_task(bus.consume(Subscription(TOPIC, group, inbox)))


async def cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_records_of_one_key_arrive_in_the_order_they_were_published(bus: EmbeddedBus) -> None:
    await publish(bus, [received(f"r{n}") for n in range(50)])
    inbox = Inbox(50)
    task = await consuming(bus, inbox)
    await inbox.full()
    await cancelled(task)
    assert inbox.seen == [f"r{n}" for n in range(50)]


async def test_a_record_published_while_a_group_waits_reaches_it(bus: EmbeddedBus) -> None:
    inbox = Inbox(1)
    task = await consuming(bus, inbox)
    await publish(bus, [received("late")])
    await inbox.full()
    await cancelled(task)
    assert inbox.seen == ["late"]


async def test_each_group_gets_every_record_and_resumes_where_it_stopped(bus: EmbeddedBus) -> None:
    await publish(bus, [received("a"), received("b")])
    for group in ("one", "two"):
        inbox = Inbox(2)
        task = await consuming(bus, inbox, group)
        await inbox.full()
        while await bus.lag(TOPIC.name, group):
            await asyncio.sleep(0)
        await cancelled(task)
    await publish(bus, [received("c")])
    inbox = Inbox(1)
    task = await consuming(bus, inbox, "one")
    await inbox.full()
    await cancelled(task)
    assert inbox.seen == ["c"]


async def test_another_process_appends_to_the_same_log(bus: EmbeddedBus, tmp_path: Path) -> None:
    inbox = Inbox(1)
    task = await consuming(bus, inbox)
    elsewhere = EmbeddedBus(tmp_path / "log.db", FAST_BUS)
    await publish(elsewhere, [received("from elsewhere")])
    await inbox.full()
    await elsewhere.close()
    await cancelled(task)
    assert inbox.seen == ["from elsewhere"]


async def test_a_group_is_read_by_one_consumer_at_a_time(bus: EmbeddedBus, tmp_path: Path) -> None:
    first, second = Inbox(3), Inbox(1)
    other = EmbeddedBus(tmp_path / "log.db", FAST_BUS)
    holder = await consuming(bus, first)
    await publish(bus, [received("a")])
    while not first.seen:
        await asyncio.sleep(0)
    waiting = await consuming(other, second)
    await publish(bus, [received("b"), received("c")])
    await first.full()
    assert second.seen == []
    while await bus.lag(TOPIC.name, "readers"):
        await asyncio.sleep(0)
    await cancelled(holder)
    await publish(bus, [received("d")])
    await second.full()
    await cancelled(waiting)
    await other.close()
    assert second.seen == ["d"]


async def test_a_failing_handler_is_tried_again_and_then_the_record_becomes_a_dead_letter(
    bus: EmbeddedBus,
) -> None:
    inbox = Inbox(1)
    inbox.fail_with = [RuntimeError("no luck") for _ in range(FAST_BUS.max_attempts)]
    task = await consuming(bus, inbox)
    await publish(bus, [received("poison"), received("good")])
    await inbox.full()
    await cancelled(task)
    assert inbox.seen == ["good"]
    assert inbox.attempts == FAST_BUS.max_attempts + 1
    assert await bus.dead_letters(TOPIC.name) == 1


async def test_what_can_never_succeed_is_not_tried_twice(bus: EmbeddedBus) -> None:
    inbox = Inbox(1)
    inbox.fail_with = [BadInput("wrong for ever")]
    task = await consuming(bus, inbox)
    await publish(bus, [received("hopeless"), received("good")])
    await inbox.full()
    await cancelled(task)
    assert inbox.attempts == 2


async def test_an_outage_is_waited_for_and_dead_letters_nothing(bus: EmbeddedBus) -> None:
    inbox = Inbox(1)
    inbox.fail_with = [Unavailable("the database is down") for _ in range(FAST_BUS.max_attempts * 2)]
    task = await consuming(bus, inbox)
    await publish(bus, [received("patient")])
    await inbox.full()
    await cancelled(task)
    assert inbox.seen == ["patient"]
    assert await bus.dead_letters(TOPIC.name) == 0


async def test_dead_letters_are_replayed_once(bus: EmbeddedBus) -> None:
    inbox = Inbox(1)
    inbox.fail_with = [BadInput("not yet")]
    task = await consuming(bus, inbox)
    await publish(bus, [received("second chance")])
    while not await bus.dead_letters(TOPIC.name):
        await asyncio.sleep(0)
    assert await bus.replay(TOPIC.name) == 1
    await inbox.full()
    await cancelled(task)
    assert inbox.seen == ["second chance"]
    assert await bus.replay(TOPIC.name) == 0


async def test_a_record_that_is_no_event_becomes_a_dead_letter(bus: EmbeddedBus) -> None:
    inbox = Inbox(1)
    task = await consuming(bus, inbox)
    await bus.publish(
        [Record(TOPIC.name, "k", b"\xff\xff\xff"), Record(TOPIC.name, "k", encode(received("ok")))]
    )
    await inbox.full()
    await cancelled(task)
    assert await bus.dead_letters(TOPIC.name) == 1


def _publish_until_killed(path: str, acknowledged: str) -> None:
    async def forever() -> None:
        bus = EmbeddedBus(Path(path), FAST_BUS)
        with open(acknowledged, "a", buffering=1) as file:
            for number in range(1_000_000):
                await publish(bus, [received(str(number))])
                file.write(f"{number}\n")

    asyncio.run(forever())


async def test_what_was_acknowledged_survives_a_kill(bus: EmbeddedBus, tmp_path: Path) -> None:
    acknowledged = tmp_path / "acknowledged"
    acknowledged.touch()
    process = multiprocessing.get_context("spawn").Process(
        target=_publish_until_killed, args=(str(tmp_path / "log.db"), str(acknowledged))
    )
    process.start()
    while acknowledged.read_text().count("\n") < 20:
        await asyncio.sleep(0.01)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    promised = acknowledged.read_text().split("\n")[:-1]
    with sqlite3.connect(tmp_path / "log.db") as db:
        kept = {id_of(decode(value)) for (value,) in db.execute("SELECT value FROM messages")}
    assert set(promised) <= kept
