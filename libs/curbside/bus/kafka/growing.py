"""Giving a topic more partitions without any key's records passing each other: a drained switch-over.

docs/adr/0001-partition-growth.md says why it is done so, and what happens where it is interrupted.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any, Final

from curbside.bus.kafka.admin import Admin, now
from curbside.bus.kafka.publishing import LINGER
from curbside.bus.kafka.routing import NotProvisioned, Route, State
from curbside.errors import BadInput, Unavailable
from curbside.settings import KafkaSettings

_LOOK: Final = timedelta(milliseconds=200)
Run = Callable[[Callable[[], Any]], Awaitable[Any]]


class NotDrained(Unavailable):
    """Consumers did not finish in time what stands before them, so the topic was left as it was."""

    code = "bus.not-drained"


async def grow(
    topic: str, partitions: int, settings: KafkaSettings, *, admin: Admin, run: Run, patience: timedelta
) -> list[str]:
    """Give `topic` more `partitions`; return what was done, one line each.

    One that was interrupted is continued. Raises BadInput where the topic would shrink, and NotDrained where
    a group has not finished within `patience`; the topic is then published to as before.
    """
    route = await _route(topic, admin, run)
    if partitions < route.partitions:
        raise BadInput(
            f"{topic!r} has {route.partitions} partitions, and a topic never shrinks",
            field="partitions",
            mend=f"Name {route.partitions} or more.",
        )
    if route.state is State.ACTIVE and partitions == route.partitions:
        return []
    if route.state is State.ACTIVE or route.target != partitions:
        route = replace(
            route, version=route.version + 1, state=State.DRAINING, target=partitions, since=now()
        )
        await run(partial(admin.write_routes, {topic: route}))
    began = time.monotonic()
    try:
        # Whoever publishes knows it after a lease; what was sent before has then arrived, or been given up.
        await asyncio.sleep(quiet_after(settings).total_seconds())
        await _drained(topic, admin, run, deadline=began + patience.total_seconds())
    except BaseException:
        await asyncio.shield(abort(topic, admin=admin, run=run))
        raise
    await run(partial(admin.add_partitions, topic, partitions))
    grown = Route(route.version + 1, State.ACTIVE, partitions, since=now())
    await run(partial(admin.write_routes, {topic: grown}))
    seconds = time.monotonic() - began
    return [
        f"{topic}: routed over {partitions} partitions, was {route.partitions}; stood still {seconds:.0f} s"
    ]


async def abort(topic: str, *, admin: Admin, run: Run) -> bool:
    """Publish to `topic` again as before a growth that was interrupted; False where there was none.

    Partitions that it had already been given stay, and stay empty.
    """
    route = await _route(topic, admin, run)
    if route.state is not State.DRAINING:
        return False
    back = Route(route.version + 1, State.ACTIVE, route.partitions, since=now())
    await run(partial(admin.write_routes, {topic: back}))
    return True


def quiet_after(settings: KafkaSettings) -> timedelta:
    """How long after its record is written nobody's batch for a draining topic is on its way any more."""
    return settings.routing_lease + settings.request_timeout + timedelta(seconds=2 * LINGER)


async def _route(topic: str, admin: Admin, run: Run) -> Route:
    route: Route | None = (await run(admin.routes)).get(topic)
    if route is None:
        raise NotProvisioned(f"the topic {topic!r} has no routing record", mend="Run `curbside provision`.")
    return route


async def _drained(topic: str, admin: Admin, run: Run, *, deadline: float) -> None:
    while True:
        groups: list[str] = await run(partial(admin.groups_of, topic))
        behind = {group: await run(partial(admin.waiting, topic, group)) for group in groups}
        behind = {group: waiting for group, waiting in behind.items() if waiting}
        if not behind:
            return
        if time.monotonic() > deadline:
            said = ", ".join(f"{group} ({waiting:,} records)" for group, waiting in behind.items())
            raise NotDrained(
                f"{topic!r} was left as it was, because groups are behind: {said}",
                mend="Start their consumers, or delete a group that nobody uses any more; then try again.",
            )
        await asyncio.sleep(_LOOK.total_seconds())
