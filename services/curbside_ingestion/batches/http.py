"""Batches over HTTP: what became of one, once or as it happens."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Annotated, Final, Protocol

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.sse import KEEPALIVE_COMMENT, EventSourceResponse, format_sse_event
from starlette.types import Receive, Scope, Send

from curbside.errors import CurbsideError
from curbside.identity.http import CanReadReports, Requires
from curbside.identity.principal import Principal
from curbside.identity.principal import Scope as Right
from curbside_ingestion.answers import RejectedRow
from curbside_ingestion.batches.answers import BatchShown, told
from curbside_ingestion.batches.described import DONE, FOLLOWED_ANSWERED, RETRY, SHOWN_ANSWERED, STREAM
from curbside_ingestion.batches.handlers import ShownBatch
from curbside_ingestion.batches.watching import Seat, Watch
from curbside_ingestion.domain.batches import Outcome

_REQUIRES: Final = Requires(Right.REPORTS_READ)
# A proxy that gathers what it passes on would make a stream of nothing.
_HEADERS: Final = {"cache-control": "no-store", "x-accel-buffering": "no"}


class Show(Protocol):
    def __call__(
        self, batch_id: str, principal: Principal, *, after: int, limit: int
    ) -> Awaitable[ShownBatch]: ...


def batch_routes(
    *, show: Show, find: Callable[[str, Principal], Awaitable[Outcome]], watch: Watch
) -> APIRouter:
    router = APIRouter(prefix="/v1/batches")

    async def stream(
        batch_id: str, request: Request, principal: Principal, last_event_id: str | None
    ) -> Response:
        outcome = await find(batch_id, principal)
        if outcome.finished and last_event_id == outcome.mark + DONE:
            return Response(status_code=204)  # which ends a browser's asking
        allowed = partial(_REQUIRES, request)
        return _Stream(watch, watch.take_seat(outcome, principal.id), allowed, last_event_id)

    @router.get("/{batch_id}", response_model=BatchShown, responses=SHOWN_ANSWERED)
    async def show_batch(
        batch_id: str,
        request: Request,
        principal: CanReadReports,
        after: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0,
        limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
        last_event_id: Annotated[str | None, Header(max_length=64)] = None,
    ) -> BatchShown | Response:
        """What became of the reports that came together: rows by what was said of them, reports by where they
        are now, and the rows that were refused. `finished` says that nothing more happens by itself; what is
        quarantined waits for a reviewer. `next` is the `after` of the next page of `rejected`, null on the
        last."""
        if STREAM in request.headers.get("accept", ""):
            return await stream(batch_id, request, principal, last_event_id)
        shown = await show(batch_id, principal, after=after, limit=limit)
        rejected: list[RejectedRow] = [{"row": row, "problem": problem} for row, problem in shown.refused]
        return {**told(shown.outcome), "rejected": rejected, "next": shown.next_row}

    @router.get("/{batch_id}/events", response_class=Response, responses=FOLLOWED_ANSWERED)
    async def follow_batch(
        batch_id: str,
        request: Request,
        principal: CanReadReports,
        last_event_id: Annotated[str | None, Header(max_length=64)] = None,
    ) -> Response:
        """The same as it happens: `progress` now and at each change, `done` when it is finished, and then the
        end. What was the last to be seen (`Last-Event-ID`) is not sent again. A comment every 15 seconds
        keeps the connection."""
        return await stream(batch_id, request, principal, last_event_id)

    return router


class _Stream(EventSourceResponse):
    """A seat's outcomes as events; however it ends, the seat is given back."""

    def __init__(
        self, watch: Watch, seat: Seat, allowed: Callable[[], Awaitable[object]], last_id: str | None
    ) -> None:
        super().__init__(_events(watch, seat, allowed, last_id), headers=_HEADERS)
        self._watch = watch
        self._seat = seat

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._watch.leave(self._seat)


async def _events(
    watch: Watch, seat: Seat, allowed: Callable[[], Awaitable[object]], last_id: str | None
) -> AsyncIterator[bytes]:
    yield format_sse_event(retry=RETRY)
    async for outcome in watch.outcomes(seat):
        try:
            await allowed()  # a token that is revoked meanwhile sees nothing more
        except CurbsideError:
            return
        if outcome is None:
            yield KEEPALIVE_COMMENT
            continue
        said = json.dumps(told(outcome))
        if outcome.mark != last_id:
            yield format_sse_event(event="progress", data_str=said, id=outcome.mark)
        if outcome.finished:
            yield format_sse_event(event="done", data_str=said, id=outcome.mark + DONE)
            return
