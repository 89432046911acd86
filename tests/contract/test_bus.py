"""What every bus promises, run against the embedded log (and, from issue 3 on, Kafka)."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import signal
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest
from opentelemetry import trace
from prometheus_client import REGISTRY

from curbside.bus.delivery import DEAD_LETTER_HEADERS
from curbside.bus.embedded import EmbeddedBus
from curbside.bus.protocol import Record, Subscription
from curbside.contracts.events import Event, decode, encode, new_event
from curbside.contracts.topics import REPORTS_RECEIVED
from curbside.contracts.v1 import events_pb2
from curbside.errors import BadInput, StorageFull, Unavailable
from curbside.identity import Role
from curbside.storage.relay import publish_waiting
from curbside.telemetry.tracing import configure_tracing
from curbside.testing.platform import FAST_BUS, open_test_platform, publish

TOPIC = REPORTS_RECEIVED
TRACE, OTHER_TRACE = "4bf92f3577b34da6a3ce929d0e0e4736", "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"


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


async def test_a_replay_keeps_a_records_headers_and_drops_what_made_it_a_dead_letter(
    bus: EmbeddedBus,
) -> None:
    inbox = Inbox(1)
    inbox.fail_with = [BadInput("not yet")]
    task = await consuming(bus, inbox)
    event = received("second chance")
    await bus.publish([Record(TOPIC.name, event.key, encode(event), {"traceparent": PARENT, "x": "y"})])
    while not await bus.dead_letters(TOPIC.name):
        await asyncio.sleep(0)
    (dead,) = await headers_of(bus, TOPIC.dead_letters)
    assert {name for name in dead if name.startswith("curbside-dlq-")} == set(DEAD_LETTER_HEADERS)
    await bus.replay(TOPIC.name)
    await inbox.full()
    await cancelled(task)
    assert (await headers_of(bus, TOPIC.name))[-1] == {"traceparent": PARENT, "x": "y"}


async def test_what_a_group_has_finished_costs_nothing_to_count_past(bus: EmbeddedBus) -> None:
    def steps(db: sqlite3.Connection) -> tuple[int, int]:
        """The lag, and how many hundred instructions SQLite's machine ran for it."""
        ran = 0

        def count() -> int:
            nonlocal ran
            ran += 1
            return 0

        db.set_progress_handler(count, 100)
        try:
            return bus._lag(db, TOPIC.name, "readers"), ran
        finally:
            db.set_progress_handler(None, 0)

    seen = []
    for history in (100, 10_000):
        await publish(bus, [received(str(n), f"s{n}") for n in range(history)])
        await bus._run(
            lambda db: db.execute(
                "INSERT OR REPLACE INTO positions SELECT 'readers', topic, partition, max(id) FROM messages "
                "GROUP BY topic, partition"
            )
        )
        await publish(bus, [received("one more")])
        seen.append(await bus._run(steps))
    assert [lag for lag, _ in seen] == [1, 1]
    assert seen[1][1] <= seen[0][1] + 1


async def test_the_lag_of_a_group_is_shown_while_it_is_behind_and_when_it_is_not(bus: EmbeddedBus) -> None:
    async def shows(lag: int) -> None:
        while REGISTRY.get_sample_value("curbside_bus_lag_messages", labels) != lag:
            await asyncio.sleep(0.01)

    labels = {"topic": TOPIC.name, "group": "shown"}
    go = asyncio.Event()

    async def wait(_: Event) -> None:
        await go.wait()

    await publish(bus, [received(f"r{n}") for n in range(3)])
    task = asyncio.create_task(bus.consume(Subscription(TOPIC, "shown", wait)))
    await asyncio.wait_for(shows(3), 20)
    go.set()
    await asyncio.wait_for(shows(0), 20)
    await cancelled(task)


@pytest.mark.parametrize("records", [1, 200], ids=["in a statement", "in a long transaction"])
async def test_a_full_disk_is_called_one_keeps_nothing_half_and_passes(
    bus: EmbeddedBus, records: int
) -> None:
    await publish(bus, [received("before")])
    await bus._run(lambda db: db.execute("PRAGMA max_page_count = 20"))  # SQLite calls it a full disk
    large = [Record(TOPIC.name, "k", b"x" * (100_000 // records)) for _ in range(records)]
    for _ in range(2):
        with pytest.raises(StorageFull, match="is full"):
            await bus.publish(large)
    assert await bus.lag(TOPIC.name, "readers") == 1
    await bus._run(lambda db: db.execute("PRAGMA max_page_count = 100000"))
    await bus.publish(large)
    assert await bus.lag(TOPIC.name, "readers") == 1 + records


async def headers_of(bus: EmbeddedBus, topic: str) -> list[dict[str, str]]:
    rows = await bus._run(
        lambda db: db.execute("SELECT headers FROM messages WHERE topic = ? ORDER BY id", (topic,)).fetchall()
    )
    return [json.loads(headers) for (headers,) in rows]


class Traced:
    """A handler that keeps the trace it was called in."""

    def __init__(self) -> None:
        self.trace_ids: list[str] = []
        self.called = asyncio.Event()

    async def __call__(self, _: Event) -> None:
        self.trace_ids.append(format(trace.get_current_span().get_span_context().trace_id, "032x"))
        self.called.set()


@pytest.mark.parametrize(
    ("header", "envelope"),
    [(PARENT, ""), (PARENT, PARENT.replace(TRACE, OTHER_TRACE)), (None, PARENT)],
    ids=["header alone", "header before envelope", "envelope alone"],
)
async def test_a_consumer_continues_the_trace_that_the_record_names(
    bus: EmbeddedBus, header: str | None, envelope: str
) -> None:
    configure_tracing("test", None)
    event = replace(received("traced"), trace_parent=envelope)
    headers = {"traceparent": header} if header else {}
    await bus.publish([Record(TOPIC.name, event.key, encode(event), headers)])
    traced = Traced()
    task = asyncio.create_task(bus.consume(Subscription(TOPIC, "readers", traced)))
    await asyncio.wait_for(traced.called.wait(), 20)
    await cancelled(task)
    assert traced.trace_ids == [TRACE]


async def test_a_trace_reaches_from_an_http_request_over_the_bus_to_its_consumer(tmp_path: Path) -> None:
    configure_tracing("test", None)
    async with open_test_platform("ingestion", tmp_path) as opened:
        headers = await opened.headers(Role.STEWARD) | {"traceparent": PARENT}
        async with httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app=opened.app), base_url="http://test", headers=headers
        ) as client:
            answer = await client.post(
                "/ingestion/v1/reports",
                json={"text": "Chest radiograph shows no acute disease.", "external_id": "A1"},
            )
        assert answer.status_code == 202
        await publish_waiting(opened.platform.database, opened.bus)
        (sent,) = await headers_of(opened.bus, TOPIC.name)
        traced = Traced()
        task = asyncio.create_task(opened.bus.consume(Subscription(TOPIC, "readers", traced)))
        await asyncio.wait_for(traced.called.wait(), 20)
        await cancelled(task)
    assert sent["traceparent"].split("-")[1] == TRACE
    assert sent["traceparent"] != PARENT  # the request's own span is the consumer's parent
    assert traced.trace_ids == [TRACE]


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
