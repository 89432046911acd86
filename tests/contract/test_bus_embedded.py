"""What the embedded log promises beside what every bus does."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
from bus_logs import TOPIC, EmbeddedLog, Inbox, cancelled, consuming, finished, received, until
from opentelemetry import trace

from curbside.bus.embedded import EmbeddedBus
from curbside.bus.protocol import Record
from curbside.contracts.events import Event
from curbside.errors import StorageFull
from curbside.identity import Role
from curbside.storage.relay import publish_waiting
from curbside.telemetry.tracing import configure_tracing
from curbside.testing.platform import open_test_platform, publish

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"


@pytest.fixture
def log(tmp_path: Path) -> EmbeddedLog:
    return EmbeddedLog(tmp_path / "log.db")


@pytest.fixture
async def bus(log: EmbeddedLog) -> AsyncIterator[EmbeddedBus]:
    bus = log.open()
    yield bus
    await bus.close()


async def test_a_group_is_read_by_one_consumer_at_a_time(bus: EmbeddedBus, log: EmbeddedLog) -> None:
    first, second = Inbox(3), Inbox(1)
    other = log.open()
    holder = consuming(bus, first)
    await publish(bus, [received("a")])
    await until(lambda: bool(first.seen))
    waiting = consuming(other, second)
    await publish(bus, [received("b"), received("c")])
    await first.full()
    assert second.seen == []
    await finished(bus)
    await cancelled(holder)
    await publish(bus, [received("d")])
    await second.full()
    await cancelled(waiting)
    await other.close()
    assert second.seen == ["d"]


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


async def test_a_trace_reaches_from_an_http_request_over_the_bus_to_its_consumer(tmp_path: Path) -> None:
    configure_tracing("test", None)
    trace_ids: list[str] = []

    async def keep_trace(_: Event) -> None:
        trace_ids.append(format(trace.get_current_span().get_span_context().trace_id, "032x"))

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
        (sent,) = await EmbeddedLog(tmp_path / "bus" / "log.db").headers_of(TOPIC.name)
        task = consuming(opened.bus, keep_trace)
        await until(lambda: bool(trace_ids))
        await cancelled(task)
    assert sent["traceparent"].split("-")[1] == TRACE
    assert sent["traceparent"] != PARENT  # the request's own span is the consumer's parent
    assert trace_ids == [TRACE]
