"""What every database promises its service: transactions, dedupe, turns, audit chains, an ordered outbox."""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, insert, select, text

from curbside.bus.protocol import MAX_RECORD_BYTES, Record
from curbside.contracts.events import Event, decode, new_event
from curbside.contracts.v1 import events_pb2
from curbside.errors import BadInput, TooLarge, Unavailable
from curbside.runtime.platform import open_database
from curbside.runtime.services import load_package
from curbside.settings import RuntimeSettings
from curbside.storage.database import Database
from curbside.storage.keys import KeyRing
from curbside.storage.relay import publish_waiting
from curbside.storage.tables import service_metadata
from curbside.storage.writing import Writing

TABLES = service_metadata().tables
# Nothing of a handler is needed here: any service's database has inbox, outbox and audit.
SERVICE = "workbench"


@pytest.fixture
async def databases(
    halves: str, runtime: RuntimeSettings, ring: KeyRing
) -> AsyncIterator[Sequence[Database]]:
    """One database, opened by two processes as it were."""
    package = load_package(SERVICE)
    opened = [await asyncio.to_thread(open_database, runtime, ring, package) for _ in range(2)]
    assert opened[0].is_postgres == (halves == "outside")
    yield opened
    for database in opened:
        await database.close()


@pytest.fixture
def database(databases: Sequence[Database]) -> Database:
    return databases[0]


def received(report_id: str = "r", subject: str = "s", occurred_at: datetime | None = None) -> Event:
    return new_event(
        events_pb2.ReportReceived(report_id=report_id),
        tenant="default",
        subject=subject,
        occurred_at=occurred_at,
    )


async def count(database: Database, table: str) -> int:
    async with database.read() as session:
        return (await session.execute(select(func.count()).select_from(TABLES[table]))).scalar_one()


class Published:
    """A bus that keeps what it is given, and can be down or slow."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.down = False
        self.gate = asyncio.Event()
        self.gate.set()
        self.entered = asyncio.Event()

    async def publish(self, records: Sequence[Record]) -> None:
        self.entered.set()
        await self.gate.wait()
        if self.down:
            raise Unavailable("the bus is down")
        self.records += records

    @property
    def ids(self) -> list[str]:
        return [report_of(decode(record.value)) for record in self.records]


def report_of(event: Event) -> str:
    assert isinstance(event.payload, events_pb2.ReportReceived)
    return event.payload.report_id


async def test_a_transaction_that_raises_leaves_nothing(database: Database) -> None:
    with pytest.raises(RuntimeError):
        async with database.begin() as transaction:
            await transaction.publish(received())
            await transaction.first_time(received(), "g")
            await transaction.record(actor="a", tenant="default", action="x", target="t")
            raise RuntimeError
    assert [await count(database, table) for table in ("outbox", "inbox", "audit")] == [0, 0, 0]


async def test_effects_inbox_outbox_and_audit_come_together(databases: Sequence[Database]) -> None:
    event = received()
    async with databases[0].begin("s") as transaction:
        assert await transaction.first_time(event, "g")
        await transaction.publish(received("next"))
        await transaction.record(actor="a", tenant="default", action="x", target="t")
    assert [await count(databases[1], table) for table in ("outbox", "inbox", "audit")] == [1, 1, 1]


async def test_an_event_is_new_once_per_group_whoever_asks(databases: Sequence[Database]) -> None:
    event = received()

    async def mark(database: Database, group: str) -> bool:
        async with database.begin(group) as transaction:
            return await transaction.first_time(event, group)

    answers = await asyncio.gather(*(mark(databases[n % 2], group) for n in range(8) for group in ("g", "h")))
    assert sorted(answers) == [False] * 14 + [True] * 2


async def test_of_many_events_each_is_new_once_and_in_order(database: Database) -> None:
    events = [received(f"r{n}") for n in range(1_500)]
    async with database.begin() as transaction:
        await transaction.first_times(events[::3], "g")
    async with database.begin() as transaction:
        fresh = await transaction.first_times([*events, *events], "g")
    assert fresh == [event for n, event in enumerate(events) if n % 3]


async def test_writers_of_one_thing_take_turns(databases: Sequence[Database]) -> None:
    """Each reads a number and writes the next: without turns two would write the same."""
    numbers = TABLES["inbox"]

    async def next_number(database: Database, turns: tuple[str, ...]) -> None:
        async with database.begin(*turns) as transaction:
            seen = select(func.count()).select_from(numbers).where(numbers.c.group == "numbers")
            number = (await transaction.session.execute(seen)).scalar_one()
            await asyncio.sleep(0)
            row = {"event_id": f"n{number}", "group": "numbers", "handled_at": datetime.now(UTC)}
            await transaction.session.execute(insert(numbers).values(row))

    # Every third waits for everybody; the others for those of the same name.
    await asyncio.gather(
        *(next_number(databases[n % 2], () if n % 3 == 0 else ("one", f"own {n}")) for n in range(30))
    )
    assert await count(databases[0], "inbox") == 30


async def test_writers_of_different_things_need_not_wait_in_postgresql(databases: Sequence[Database]) -> None:
    if not databases[0].is_postgres:
        pytest.skip("SQLite has one writer at a time")
    async with databases[0].begin("one") as first:
        await first.first_time(received(), "g")
        async with databases[1].begin("two") as second:  # would wait for ever
            await second.first_time(received(), "g")
    assert await count(databases[0], "inbox") == 2


async def test_a_reader_sees_one_moment_and_keeps_no_writer_waiting(databases: Sequence[Database]) -> None:
    async with databases[0].read() as session:
        seen = select(func.count()).select_from(TABLES["outbox"])
        before = (await session.execute(seen)).scalar_one()
        async with databases[1].begin() as transaction:
            await transaction.publish(received())
        assert (await session.execute(seen)).scalar_one() == before == 0
    assert await count(databases[0], "outbox") == 1


async def test_a_reader_cannot_write_in_postgresql(database: Database) -> None:
    if not database.is_postgres:
        pytest.skip("SQLite's snapshot becomes a writer when asked to")
    with pytest.raises(Exception, match="read-only"):
        async with database.read() as session:
            await session.execute(text("DELETE FROM outbox"))


async def record(database: Database, target: str, turns: tuple[str, ...] = ()) -> None:
    async with database.begin(*turns) as transaction:
        for act in ("begun", "done"):
            await transaction.record(actor="a", tenant="default", action=act, target=target)


async def test_the_audit_chain_holds_whoever_writes_it_and_finds_what_was_changed_or_removed(
    databases: Sequence[Database],
) -> None:
    database = databases[0]
    await asyncio.gather(*(record(databases[n % 2], f"t{n}", (f"t{n}",)) for n in range(20)))
    assert await database.verify_audit() == (40, None)
    async with database.begin() as transaction:
        await transaction.session.execute(text("UPDATE audit SET target = 'other' WHERE sequence = 3"))
    held, broken = await database.verify_audit()
    assert broken is not None
    assert (held, broken.sequence) == (2, 3)
    async with database.begin() as transaction:
        await transaction.session.execute(text("DELETE FROM audit WHERE sequence = 2"))
    held, broken = await database.verify_audit()
    assert broken is not None
    assert (held, broken.sequence) == (1, 2)


async def test_blocking_work_is_one_transaction_like_any_other(databases: Sequence[Database]) -> None:
    happened = [received(f"r{number}") for number in range(20)]

    def write(writing: Writing) -> int:
        writing.publish(*happened)
        writing.record(actor="a", tenant="default", action="test.done", target="t")
        writing.add(TABLES["inbox"], [{"event_id": "e", "group": "g", "handled_at": datetime.now(UTC)}])
        return 42

    def fail(writing: Writing) -> None:
        write(writing)
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await databases[0].transact(fail, "turn")
    assert [await count(databases[1], table) for table in ("outbox", "audit", "inbox")] == [0, 0, 0]
    assert not databases[0].committed.is_set()
    assert await databases[0].transact(write, "turn") == 42
    assert databases[0].committed.is_set()
    assert [await count(databases[1], table) for table in ("outbox", "audit", "inbox")] == [20, 1, 1]
    assert await databases[1].verify_audit() == (1, None)
    bus = Published()
    assert await publish_waiting(databases[0], bus) == 20
    assert bus.ids == [f"r{number}" for number in range(20)]


async def test_blocking_work_takes_turns_with_all_others(databases: Sequence[Database]) -> None:
    first, second = databases
    order: list[str] = []

    def work(writing: Writing) -> None:
        order.append("work")
        writing.record(actor="a", tenant="default", action="test.done", target="t")

    async with first.begin("x") as transaction:
        await transaction.first_time(received(), "g")
        waiting = [asyncio.create_task(each.transact(work, "x")) for each in databases]
        await transaction.record(actor="a", tenant="default", action="test.begun", target="t")
        assert await second.look(lambda connection: connection.execute(select(1)).scalar_one()) == 1
        order.append("begin")
    await asyncio.gather(*waiting)
    assert order == ["begin", "work", "work"]
    assert await first.verify_audit() == (3, None)


async def test_who_leaves_blocking_work_leaves_its_turn_when_it_has_ended(database: Database) -> None:
    begun, go = threading.Event(), threading.Event()

    def slow(writing: Writing) -> None:
        writing.publish(received())
        begun.set()
        go.wait(30)

    if database.is_postgres:
        pytest.skip("there it is a transaction of the loop, which is rolled back")
    leaving = asyncio.create_task(database.transact(slow))
    await asyncio.to_thread(begun.wait, 30)
    leaving.cancel()
    next_turn = asyncio.create_task(database.transact(lambda writing: writing.publish(received())))
    await asyncio.sleep(0)
    assert not next_turn.done()
    go.set()
    await next_turn
    assert leaving.cancelled()
    assert await count(database, "outbox") == 2


async def test_the_relay_publishes_in_order_and_empties_the_outbox(database: Database) -> None:
    bus = Published()
    for start in range(0, 1_200, 100):
        async with database.begin() as transaction:
            await transaction.publish(*(received(f"r{n}") for n in range(start, start + 100)))
    while await publish_waiting(database, bus):
        continue
    assert bus.ids == [f"r{n}" for n in range(1_200)]
    assert await count(database, "outbox") == 0


async def test_what_no_bus_takes_never_enters_the_outbox(database: Database) -> None:
    with pytest.raises(TooLarge):
        async with database.begin() as transaction:
            await transaction.publish(received("x" * MAX_RECORD_BYTES))
    assert await count(database, "outbox") == 0


async def test_what_the_bus_did_not_take_stays_in_the_outbox(database: Database) -> None:
    bus = Published()
    async with database.begin() as transaction:
        await transaction.publish(received("kept"))
    bus.down = True
    with pytest.raises(Unavailable, match="bus is down"):
        await publish_waiting(database, bus)
    bus.down = False
    assert await publish_waiting(database, bus) == 1
    assert bus.ids == ["kept"]


async def test_a_relay_that_dies_after_it_published_publishes_again(database: Database) -> None:
    bus = Published()
    async with database.begin() as transaction:
        await transaction.publish(received("twice"))
    bus.gate.clear()
    relaying = asyncio.create_task(publish_waiting(database, bus))
    await bus.entered.wait()
    relaying.cancel()
    await asyncio.gather(relaying, return_exceptions=True)
    bus.gate.set()
    assert await publish_waiting(database, bus) == 1
    assert bus.ids == ["twice"]


async def test_two_relays_share_the_outbox_and_neither_overtakes_the_other(
    databases: Sequence[Database],
) -> None:
    if not databases[0].is_postgres:
        pytest.skip("one process relays an SQLite file")
    subjects, each = 40, 60
    async with databases[0].begin() as transaction:
        await transaction.publish(
            *(received(str(n), f"s{subject}") for n in range(each) for subject in range(subjects))
        )
    bus = Published()

    async def relay(database: Database) -> None:
        while await count(database, "outbox"):
            await publish_waiting(database, bus)

    await asyncio.gather(*(relay(database) for database in databases))
    seen: defaultdict[str, list[int]] = defaultdict(list)
    for sent in bus.records:
        seen[sent.key].append(int(report_of(decode(sent.value))))
    assert list(seen.values()) == [list(range(each))] * subjects


async def test_a_relay_that_holds_rows_keeps_no_writer_and_no_other_key_waiting(
    databases: Sequence[Database],
) -> None:
    if not databases[0].is_postgres:
        pytest.skip("one process relays an SQLite file")
    slow, quick = Published(), Published()
    async with databases[0].begin() as transaction:
        await transaction.publish(received("first", "s"))
    slow.gate.clear()
    holding = asyncio.create_task(publish_waiting(databases[0], slow))
    await slow.entered.wait()
    async with databases[1].begin() as transaction:
        await transaction.publish(received("second", "s"), received("other", "t"))
    assert await publish_waiting(databases[1], quick) == 1
    assert quick.ids == ["other"]  # "second" would overtake "first"
    slow.gate.set()
    await holding
    assert await publish_waiting(databases[1], quick) == 1
    assert (slow.ids, quick.ids) == (["first"], ["other", "second"])


@pytest.mark.parametrize("hours", [-48, 48])
async def test_a_clock_that_is_wrong_changes_no_order(database: Database, hours: int) -> None:
    skewed = datetime.now(UTC) + timedelta(hours=hours)
    async with database.begin() as transaction:
        await transaction.publish(received("first", occurred_at=skewed), received("second"))
        await transaction.first_time(received("skewed", occurred_at=skewed), "g")
    bus = Published()
    await publish_waiting(database, bus)
    assert bus.ids == ["first", "second"]
    assert decode(bus.records[0].value).occurred_at == skewed


async def test_a_transaction_may_be_abandoned_and_its_turn_passes_on(database: Database) -> None:
    held = asyncio.Event()

    async def hold() -> None:
        async with database.begin("one") as transaction:
            await transaction.first_time(received(), "g")
            held.set()
            await asyncio.Event().wait()

    holding = asyncio.create_task(hold())
    await held.wait()
    holding.cancel()
    await asyncio.gather(holding, return_exceptions=True)
    async with database.begin("one") as transaction:
        await transaction.first_time(received(), "g")
    assert await count(database, "inbox") == 1


async def test_work_that_must_be_alone_is_done_by_one_process_at_a_time(
    databases: Sequence[Database],
) -> None:
    if not databases[0].is_postgres:
        pytest.skip("one process works on an SQLite file")
    inside: list[int] = []

    async def work(database: Database) -> None:
        async with database.alone("builder"):
            inside.append(1)
            assert sum(inside) == 1
            for _ in range(20):
                await asyncio.sleep(0)
            inside.append(-1)

    await asyncio.gather(*(work(database) for database in databases))
    assert sum(inside) == 0


@pytest.mark.parametrize(
    "cause",
    [
        "ALTER TABLE outbox RENAME TO gone",
        "ALTER TABLE outbox RENAME COLUMN topic TO subject",
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
    ],
    ids=["no table", "no column", "read-only"],
)
async def test_another_schema_and_a_standby_are_waited_for(databases: Sequence[Database], cause: str) -> None:
    """They are Unavailable: a consumer gives no message up for them."""
    first, second = databases
    if not first.is_postgres:
        pytest.skip("nobody changes an SQLite file under a running service")
    asked = second if cause.startswith("SET") else first
    async with second.begin() as transaction:
        await transaction.session.execute(text(cause))
    with pytest.raises(Unavailable, match="schema"):
        async with asked.begin() as transaction:
            await transaction.publish(received())


async def test_a_nul_in_a_question_is_bad_input_and_no_fault_of_ours(database: Database) -> None:
    if not database.is_postgres:
        pytest.skip("SQLite finds nothing of that name")
    with pytest.raises(BadInput, match="NUL"):
        async with database.read() as session:
            await session.execute(select(TABLES["outbox"]).where(TABLES["outbox"].c.key == "a\0b"))
