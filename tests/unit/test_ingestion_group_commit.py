"""Requests that come at once share one commit, and none suffers for another."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from curbside.errors import TooBusy, Unavailable
from curbside_ingestion.group_commit import GroupCommit


class Disk:
    """What groups are written to: it waits until it is let go, and refuses the items in `poison`."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []
        self.poison: dict[int, Exception] = {}
        self.free = asyncio.Event()

    async def __call__(self, items: Sequence[int]) -> list[str]:
        self.groups.append([*items])
        await self.free.wait()
        for item in items:
            if item in self.poison:
                raise self.poison[item]
        return [f"kept {item}" for item in items]


Group = GroupCommit[int, str]


def group_of(disk: Disk, *, group_size: int = 10, queue_size: int = 100) -> Group:
    return GroupCommit(disk, group_size=group_size, queue_size=queue_size)


async def bring(group: Group, *callers: Sequence[int]) -> list[asyncio.Task[Sequence[str]]]:
    """Callers who wait, one after another: a group that can be taken is taken before the next comes."""
    tasks = []
    for items in callers:
        tasks.append(asyncio.ensure_future(group(items)))
        for _ in range(3):
            await asyncio.sleep(0)
    return tasks


async def test_who_comes_while_a_group_is_written_shares_the_next_in_the_order_of_coming() -> None:
    disk = Disk()
    callers = await bring(group_of(disk), [1], [2, 3], [4])
    disk.free.set()
    assert await asyncio.gather(*callers) == [["kept 1"], ["kept 2", "kept 3"], ["kept 4"]]
    assert disk.groups == [[1], [2, 3, 4]]


async def test_who_comes_in_the_same_turn_of_the_loop_shares_a_group() -> None:
    disk = Disk()
    disk.free.set()
    group = group_of(disk)
    await asyncio.gather(*(group([item]) for item in (1, 2, 3)))
    assert disk.groups == [[1, 2, 3]]


async def test_a_group_ends_where_the_next_caller_does_not_fit_and_one_caller_is_never_split() -> None:
    disk = Disk()
    callers = await bring(group_of(disk, group_size=2), [1], [2], [3, 4], [5, 6, 7], [8])
    disk.free.set()
    await asyncio.gather(*callers)
    assert disk.groups == [[1], [2], [3, 4], [5, 6, 7], [8]]


async def test_a_full_queue_says_when_to_come_again_and_takes_more_once_it_is_written() -> None:
    disk = Disk()
    group = group_of(disk, queue_size=2)
    callers = await bring(group, [1], [2], [3])
    assert group.waiting == 2
    with pytest.raises(TooBusy) as refused:
        await group([4])
    assert refused.value.extensions["retry_after"] > 0
    disk.free.set()
    await asyncio.gather(*callers)
    assert (await group([4]), group.waiting) == (["kept 4"], 0)


async def test_what_no_queue_holds_is_taken_where_nothing_waits() -> None:
    disk = Disk()
    disk.free.set()
    assert len(await group_of(disk, queue_size=2)([1, 2, 3])) == 3


async def test_a_queue_is_full_by_bytes_too_however_few_bring_them() -> None:
    disk = Disk()
    group = GroupCommit(disk, group_size=10, queue_size=100, queue_bytes=50, size_of=lambda item: item)
    callers = await bring(group, [1], [49], [1])
    with pytest.raises(TooBusy):
        await group([1])
    disk.free.set()
    await asyncio.gather(*callers)
    assert [await group([50]), await group([60])] == [["kept 50"], ["kept 60"]]  # each where nothing waits
    assert disk.groups == [[1], [49, 1], [50], [60]]


async def test_an_item_that_nothing_takes_fails_its_own_caller_alone() -> None:
    disk = Disk()
    disk.poison[3] = ValueError("no")
    callers = await bring(group_of(disk), [1], [2], [3], [4])
    disk.free.set()
    first, second, third, fourth = await asyncio.gather(*callers, return_exceptions=True)
    assert (first, second, fourth) == (["kept 1"], ["kept 2"], ["kept 4"])
    assert isinstance(third, ValueError)
    assert disk.groups == [[1], [2, 3, 4], [2], [3], [4]]


async def test_a_store_that_does_not_answer_fails_the_whole_group_at_once_and_not_the_next() -> None:
    disk = Disk()
    disk.poison[3] = Unavailable("the disk is away")
    group = group_of(disk)
    callers = await bring(group, [1], [2], [3])
    disk.free.set()
    first, *others = await asyncio.gather(*callers, return_exceptions=True)
    assert first == ["kept 1"]
    assert [type(other) for other in others] == [Unavailable, Unavailable]
    assert disk.groups == [[1], [2, 3]]
    assert await group([4]) == ["kept 4"]


@pytest.mark.parametrize("leaver", [0, 1])
async def test_a_caller_who_leaves_loses_nothing_of_anybody(leaver: int) -> None:
    disk = Disk()
    callers = await bring(group_of(disk), [1], [2], [3])
    callers.pop(leaver).cancel()
    await asyncio.sleep(0)
    disk.free.set()
    assert len(await asyncio.gather(*callers)) == 2
    assert disk.groups == [[1], [2, 3]], "what was begun is written"
