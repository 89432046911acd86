"""Requests that come at once share one commit: while a group is on its way to the disk, the next gathers."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from curbside.errors import TooBusy, Unavailable

log = logging.getLogger(__name__)
_Item = TypeVar("_Item")
_Outcome = TypeVar("_Outcome")
_RETRY_AFTER: Final = 1  # seconds: a full queue is written in less


@dataclass(frozen=True)
class _Waiting(Generic[_Item, _Outcome]):
    items: Sequence[_Item]
    outcomes: asyncio.Future[Sequence[_Outcome]]
    size: int  # bytes


class GroupCommit(Generic[_Item, _Outcome]):
    """Calls `commit` with what callers bring, in the order they came.

    A group has at most `group_size` items, unless one caller brings more. With `side_by_side` groups at once,
    while one waits for the disk the other has the processor; what a caller brings after an answer is still
    committed after what was answered. Where `queue_size` items wait already, or items of `queue_bytes` by
    `size_of`, a caller is told TooBusy at once: what cannot be written must not pile up in memory.
    """

    def __init__(
        self,
        commit: Callable[[Sequence[_Item]], Awaitable[Sequence[_Outcome]]],
        *,
        group_size: int,
        queue_size: int,
        side_by_side: int = 1,
        queue_bytes: int = sys.maxsize,
        size_of: Callable[[_Item], int] = lambda _: 0,
    ) -> None:
        self._commit = commit
        self._group_size = group_size
        self._queue_size = queue_size
        self._side_by_side = side_by_side
        self._queue: deque[_Waiting[_Item, _Outcome]] = deque()
        self._queue_bytes = queue_bytes
        self._size_of = size_of
        self._waiting = 0  # items in the queue
        self._gathering = False  # a group is about to be taken from the queue
        self._waiting_bytes = 0
        self._in_hand = 0  # items of the groups that are being written
        self._writers: set[asyncio.Task[None]] = set()

    @property
    def waiting(self) -> int:
        """How many items wait for a group."""
        return self._waiting

    async def __call__(self, items: Sequence[_Item]) -> Sequence[_Outcome]:
        """The outcomes of `items`, in their order, once they are durable. Raises what `commit` raised."""
        size = sum(map(self._size_of, items))
        full = self._waiting + len(items) > self._queue_size or self._waiting_bytes + size > self._queue_bytes
        if self._waiting and full:
            raise TooBusy(
                f"{self._waiting} reports of {self._waiting_bytes} bytes wait to be written already",
                mend="Send it again after the seconds of Retry-After.",
                retry_after=_RETRY_AFTER,
            )
        mine = _Waiting[_Item, _Outcome](items, asyncio.get_running_loop().create_future(), size)
        self._queue.append(mine)
        self._waiting += len(items)
        self._waiting_bytes += size
        self._start_writing()
        # What was begun is finished, though the caller may be gone.
        return await asyncio.shield(mine.outcomes)

    def _start_writing(self) -> None:
        """Another group starts when it has half of what is in hand: many small ones cost more than few."""
        room = len(self._writers) < self._side_by_side and 2 * self._waiting >= self._in_hand
        if not self._gathering and (room or not self._writers):
            self._gathering = True
            writer = asyncio.create_task(self._write())
            self._writers.add(writer)
            writer.add_done_callback(self._end_writing)

    def _end_writing(self, writer: asyncio.Task[None]) -> None:
        self._writers.discard(writer)
        if self._queue:
            self._start_writing()

    async def _write(self) -> None:
        await asyncio.sleep(0)  # what comes in the same turn of the loop goes along
        self._gathering = False
        group, size = self._next_group()
        self._in_hand += size
        try:
            await self._write_group(group)
        finally:
            self._in_hand -= size

    def _next_group(self) -> tuple[list[_Waiting[_Item, _Outcome]], int]:
        """The next group, and how many items it has."""
        group = [self._queue.popleft()]
        size = len(group[0].items)
        while self._queue and size + len(self._queue[0].items) <= self._group_size:
            group.append(self._queue.popleft())
            size += len(group[-1].items)
        self._waiting -= size
        self._waiting_bytes -= sum(waiting.size for waiting in group)
        return group, size

    async def _write_group(self, group: Sequence[_Waiting[_Item, _Outcome]]) -> None:
        try:
            outcomes = await self._commit([item for waiting in group for item in waiting.items])
        except Exception as error:
            if len(group) == 1 or isinstance(error, Unavailable):
                _fail(group, error)
                return
            # One of them may be what no database takes: the others must not suffer for it.
            log.warning("a group failed and goes one by one", extra={"error": type(error).__name__})
            for waiting in group:
                await self._write_group([waiting])
            return
        except BaseException as stopped:
            _fail(group, stopped)
            raise
        start = 0
        for waiting in group:
            if not waiting.outcomes.done():
                waiting.outcomes.set_result(outcomes[start : start + len(waiting.items)])
            start += len(waiting.items)


def _fail(group: Sequence[_Waiting[_Item, _Outcome]], error: BaseException) -> None:
    for waiting in group:
        if not waiting.outcomes.done():
            waiting.outcomes.set_exception(error)
            waiting.outcomes.exception()  # a caller who is gone does not ask
