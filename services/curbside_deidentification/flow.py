"""How much may be under way at once, in characters, and who waits or is refused beyond that."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from curbside.errors import TooBusy

# A text of no length takes work, too: a thousand of them are as many characters as one of the longest.
_LEAST: Final = 200
_RETRY_SECONDS: Final = 2


class Overloaded(TooBusy):
    """More text waits than will be done soon; the same call succeeds later."""

    code = "deid.overloaded"
    title = "Too many texts at once"


class Room:
    """Room for `most` characters. Where nothing is under way any one document fits, however long."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held = 0
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @contextmanager
    def seat(self, characters: int) -> Iterator[None]:
        """For a caller that is answered at once or refused. Raises Overloaded."""
        weight = max(characters, _LEAST)
        if not self._fits(weight):
            raise Overloaded(
                f"{self._held} characters are being de-identified already",
                mend="Call again shortly, or send many texts over DeidentifyStream, which waits.",
                retry_after=_RETRY_SECONDS,
            )
        self._held += weight
        try:
            yield
        finally:
            self._leave(weight)

    async def enter(self, characters: int) -> Callable[[], None]:
        """For a caller that waits, first come first served. Returns how it leaves again."""
        weight = max(characters, _LEAST)
        if self._waiting or not self._fits(weight):
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append((weight, turn))
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():
                    self._leave(weight)
                raise
        else:
            self._held += weight
        return lambda: self._leave(weight)

    def _fits(self, weight: int) -> bool:
        return not self._held or self._held + weight <= self._most

    def _leave(self, weight: int) -> None:
        self._held -= weight
        while self._waiting:
            weight, turn = self._waiting[0]
            if turn.done():  # its caller has left
                self._waiting.popleft()
            elif self._fits(weight):
                self._waiting.popleft()
                self._held += weight
                turn.set_result(None)
            else:
                return


async def answered(
    requests: AsyncIterator[Any],
    answer: Callable[[Any], Awaitable[Any]],
    room: Room,
    characters: Callable[[Any], int],
) -> AsyncGenerator[Any, None]:
    """What `answer` makes of each of `requests`, each as soon as it is ready.

    A request is read only once there is room for it, and holds its room until its answer was taken: a
    caller that does not read is not read either. What `answer` raises ends it all, and so does a caller that
    leaves: nothing goes on.
    """
    ready: asyncio.Queue[Any] = asyncio.Queue()
    under_way: set[asyncio.Task[None]] = set()
    leave: dict[asyncio.Task[None], Callable[[], None]] = {}
    end = object()

    async def one(request: Any) -> None:
        task = asyncio.current_task()
        try:
            ready.put_nowait((task, await answer(request), None))
        except Exception as error:
            ready.put_nowait((task, None, error))

    async def read() -> None:
        try:
            async for request in requests:
                left = await room.enter(characters(request))
                task = asyncio.create_task(one(request))
                leave[task] = left
                under_way.add(task)
                task.add_done_callback(under_way.discard)
            while under_way:
                await asyncio.wait(under_way)
        except Exception as error:
            ready.put_nowait((None, None, error))
        ready.put_nowait((None, end, None))

    reader = asyncio.create_task(read())
    try:
        while True:
            task, response, error = await ready.get()
            if error is not None:
                raise error
            if response is end:
                return
            yield response
            leave.pop(task)()
    finally:
        for each in (reader, *under_way):
            each.cancel()
        await asyncio.gather(reader, *under_way, return_exceptions=True)
        for left in leave.values():
            left()
