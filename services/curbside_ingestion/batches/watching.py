"""Whoever watches batches: one look at the database serves all of them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from curbside.errors import CurbsideError, TooBusy
from curbside_ingestion.domain.batches import Outcome

log = logging.getLogger(__name__)

_POLL: Final = timedelta(seconds=2)  # other processes move reports, too, and tell nobody here
_REST: Final = timedelta(milliseconds=200)  # between two looks at the least
_SHARE: Final = 10  # a look that takes long is followed by ten times as long a rest
_HEARTBEAT: Final = timedelta(seconds=15)  # proxies close what is silent for a minute
_RETRY_AFTER: Final = 30

Look = Callable[[Collection[str]], Awaitable[Mapping[str, Outcome]]]


@dataclass(eq=False)
class Seat:
    """A watcher's place: what there is to be seen, and whether there is something new."""

    principal: str
    outcome: Outcome
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    over: bool = False


class Watch:
    """Looks at the batches of all its seats, and lets each know what changed."""

    def __init__(
        self, look: Look, *, seats_each: int, heartbeat: timedelta = _HEARTBEAT, poll: timedelta = _POLL
    ) -> None:
        self._look = look
        self._seats_each = seats_each
        self._heartbeat = heartbeat.total_seconds()
        self._poll = poll.total_seconds()
        self._seats: set[Seat] = set()
        self._stirred = asyncio.Event()
        self._looking: asyncio.Task[None] | None = None
        self._stopped = False

    @property
    def seats(self) -> int:
        return len(self._seats)

    def stir(self) -> None:
        """Say that reports have moved."""
        self._stirred.set()

    def stop(self) -> None:
        """End every stream: the service stops."""
        self._stopped = True
        for seat in self._seats:
            seat.over = True
            seat.changed.set()

    def take_seat(self, outcome: Outcome, principal: str) -> Seat:
        """A place for `principal`, who gives it back by `leave`. Raises TooBusy where they have too many."""
        if Counter(seat.principal for seat in self._seats)[principal] >= self._seats_each:
            raise TooBusy(
                f"{self._seats_each} batches are watched by this token already",
                mend="Close another stream, or ask without one.",
                retry_after=_RETRY_AFTER,
            )
        seat = Seat(principal, outcome, over=self._stopped)
        self._seats.add(seat)
        if self._looking is None or self._looking.done():  # done: it failed, or has just seen nobody
            self._looking = asyncio.create_task(self._look_on())
        return seat

    def leave(self, seat: Seat) -> None:
        self._seats.discard(seat)
        if not self._seats and self._looking is not None:
            self._looking.cancel()
            self._looking = None

    async def outcomes(self, seat: Seat) -> AsyncIterator[Outcome | None]:
        """What there is now, then each change; None where nothing has changed for a heartbeat. Ends when the
        service stops."""
        while not seat.over:
            seat.changed.clear()
            yield seat.outcome
            while not seat.over:
                try:
                    await asyncio.wait_for(seat.changed.wait(), self._heartbeat)
                except TimeoutError:
                    yield None
                else:
                    break

    async def _look_on(self) -> None:
        try:
            while self._seats:
                self._stirred.clear()
                started = time.monotonic()
                await self._look_once()
                took = time.monotonic() - started
                await asyncio.sleep(max(_REST.total_seconds(), _SHARE * took))
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stirred.wait(), self._poll)
        except Exception as error:
            log.error("batches are watched no more", exc_info=error)
            for seat in self._seats:
                seat.over = True
                seat.changed.set()

    async def _look_once(self) -> None:
        try:
            found = await self._look({seat.outcome.batch_id for seat in self._seats})
        except CurbsideError as error:  # a database that does not answer is asked again
            log.warning("batches cannot be watched", extra={"error": error.code})
            return
        for seat in self._seats:
            outcome = found.get(seat.outcome.batch_id, seat.outcome)
            if outcome.mark != seat.outcome.mark:
                seat.outcome = outcome
                seat.changed.set()
