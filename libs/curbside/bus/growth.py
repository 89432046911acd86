"""Who waits for a partition of a log is woken by what is appended there, and by nothing else."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping

Place = tuple[str, int]  # a topic and its partition


class Growth:
    """The ids of the newest records that are known, by place; 0 where none is."""

    def __init__(self) -> None:
        self._newest: dict[Place, int] = {}
        self._waiting: defaultdict[Place, list[asyncio.Future[None]]] = defaultdict(list)

    def newest(self, place: Place) -> int:
        return self._newest.get(place, 0)

    def grew(self, newest: Mapping[Place, int]) -> None:
        """Wake those who wait for one of these places. What was known already wakes nobody."""
        for place, id in newest.items():
            if id > self.newest(place):
                self._newest[place] = id
                for waiting in self._waiting.pop(place, ()):
                    if not waiting.done():
                        waiting.set_result(None)

    async def past(self, place: Place, seen: int) -> None:
        """Wait until the newest of `place` is beyond `seen`."""
        while self.newest(place) <= seen:
            waiting = asyncio.get_running_loop().create_future()
            self._waiting[place].append(waiting)
            await waiting
