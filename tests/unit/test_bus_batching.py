"""What waits in several partitions is handed over together; see `curbside.bus.batching`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from curbside.bus.batching import Batches
from curbside.bus.protocol import Record, Subscription
from curbside.contracts.events import Event, encode, new_event
from curbside.contracts.topics import REPORTS_RECEIVED
from curbside.contracts.v1 import events_pb2
from curbside.errors import Unavailable
from curbside.settings import BusSettings


class Handler:
    """Notes what it is given, and returns when it is let."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.fails_with: list[Exception] = []
        self.poison: set[str] = set()
        self.interrupted = 0
        self.let = asyncio.Event()

    async def __call__(self, events: Sequence[Event]) -> None:
        self.batches.append([event.subject for event in events])
        try:
            await self.let.wait()
        except asyncio.CancelledError:
            self.interrupted += 1
            raise
        if self.fails_with:
            raise self.fails_with.pop(0)
        if self.poison & set(self.batches[-1]):
            raise RuntimeError("poison")


def batches(handler: Handler, size: int = 500) -> Batches:
    async def handle(_: Event) -> None: ...

    subscription = Subscription(REPORTS_RECEIVED, "readers", handle, handle_batch=handler, batch_size=size)
    settings = BusSettings(first_backoff=timedelta(milliseconds=1), max_backoff=timedelta(milliseconds=1))
    return Batches(subscription, handler, settings, asyncio.Semaphore(1))


def records(*subjects: str) -> list[Record]:
    return [
        Record(
            REPORTS_RECEIVED.name,
            subject,
            encode(
                new_event(
                    events_pb2.ReportReceived(report_id=subject),
                    tenant="default",
                    subject=subject,
                    occurred_at=datetime.now(UTC),
                )
            ),
        )
        for subject in subjects
    ]


async def started(handler: Handler, count: int) -> None:
    async with asyncio.timeout(10):
        while len(handler.batches) < count:
            await asyncio.sleep(0)


async def handed_over(to: Batches, *parts: list[Record]) -> list[asyncio.Task[bool]]:
    tasks = [asyncio.create_task(to.hand_over(part)) for part in parts]
    for _ in range(3):
        await asyncio.sleep(0)
    return tasks


async def test_what_arrives_while_a_batch_is_handled_is_the_next_batch() -> None:
    handler = Handler()
    to = batches(handler)
    first = await handed_over(to, records("a"))
    await started(handler, 1)
    rest = await handed_over(to, records("b", "c"), records("d"), records("e"))
    handler.let.set()
    assert await asyncio.gather(*first, *rest) == [True] * 4
    assert handler.batches == [["a"], ["b", "c", "d", "e"]]


async def test_a_batch_is_no_longer_than_its_size_and_no_part_is_passed_over() -> None:
    handler = Handler()
    handler.let.set()
    tasks = await handed_over(batches(handler, 3), records("a", "b"), records("c", "d"), records("e"))
    assert await asyncio.gather(*tasks) == [True] * 3
    assert handler.batches == [["a", "b"], ["c", "d", "e"]]


async def test_only_the_part_with_the_poison_goes_one_by_one() -> None:
    handler = Handler()
    handler.let.set()
    handler.poison = {"c"}
    tasks = await handed_over(batches(handler), records("a", "b"), records("c", "d"), records("e"))
    assert await asyncio.gather(*tasks) == [True, False, True]
    assert handler.batches == [["a", "b", "c", "d", "e"], ["a", "b"], ["c", "d"], ["e"]]


async def test_a_part_that_failed_by_itself_is_not_handed_over_as_a_batch_again() -> None:
    handler = Handler()
    handler.let.set()
    handler.poison = {"a"}
    (task,) = await handed_over(batches(handler), records("a", "b"))
    assert not await task
    assert handler.batches == [["a", "b"]]


async def test_what_no_event_can_be_read_from_holds_up_nobody_else() -> None:
    handler = Handler()
    handler.let.set()
    unreadable = Record(REPORTS_RECEIVED.name, "k", b"\xff\xff\xff")
    tasks = await handed_over(batches(handler), [unreadable], records("a"))
    assert await asyncio.gather(*tasks) == [False, True]


async def test_an_outage_is_waited_for_together() -> None:
    handler = Handler()
    handler.let.set()
    handler.fails_with = [Unavailable("the database is down") for _ in range(5)]
    tasks = await handed_over(batches(handler), records("a"), records("b"))
    assert await asyncio.gather(*tasks) == [True, True]
    assert handler.batches == [["a", "b"]] * 6


async def test_a_partition_that_goes_away_interrupts_the_batch_and_the_others_are_handled_again() -> None:
    handler = Handler()
    gone, stays = await handed_over(batches(handler), records("a"), records("b"))
    await started(handler, 1)
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    assert handler.interrupted == 1  # nothing of it is being handled any more
    await started(handler, 2)
    handler.let.set()
    assert await stays
    assert handler.batches == [["a", "b"], ["b"]]


async def test_what_waits_and_goes_away_is_not_handled() -> None:
    handler = Handler()
    to = batches(handler)
    (first,) = await handed_over(to, records("a"))
    await started(handler, 1)
    gone, stays = await handed_over(to, records("b"), records("c"))
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    handler.let.set()
    assert await first
    assert await stays
    assert handler.batches == [["a"], ["c"]]


async def test_all_go_away_together() -> None:
    handler = Handler()
    tasks = await handed_over(batches(handler), records("a"), records("b"))
    await started(handler, 1)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert all(task.cancelled() for task in tasks)
    assert handler.batches == [["a", "b"]]
    assert handler.interrupted == 1
