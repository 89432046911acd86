"""A consumer is woken by what is appended to its partition, and by nothing else."""

from __future__ import annotations

import asyncio

from curbside.bus.growth import Growth


async def test_only_who_waits_for_the_place_that_grew_is_woken() -> None:
    growth = Growth()
    first = asyncio.create_task(growth.past(("reports", 1), 0))
    second = asyncio.create_task(growth.past(("reports", 2), 0))
    await asyncio.sleep(0)
    growth.grew({("reports", 1): 7})
    await asyncio.wait_for(first, 30)
    assert not second.done()
    growth.grew({("reports", 2): 8})
    await asyncio.wait_for(second, 30)


async def test_what_grew_before_one_waits_is_not_waited_for() -> None:
    growth = Growth()
    growth.grew({("reports", 1): 7})
    await asyncio.wait_for(growth.past(("reports", 1), 6), 30)
    assert growth.newest(("reports", 1)) == 7


async def test_what_was_known_already_wakes_nobody() -> None:
    growth = Growth()
    growth.grew({("reports", 1): 7})
    waiting = asyncio.create_task(growth.past(("reports", 1), 7))
    await asyncio.sleep(0)
    growth.grew({("reports", 1): 7})
    await asyncio.sleep(0)
    assert not waiting.done()
    growth.grew({("reports", 1): 9})
    await asyncio.wait_for(waiting, 30)


async def test_two_groups_that_wait_for_one_place_are_both_woken() -> None:
    growth = Growth()
    waiting = [asyncio.create_task(growth.past(("reports", 1), 0)) for _ in range(2)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    growth.grew({("reports", 1): 1})
    await asyncio.wait_for(waiting[1], 30)
