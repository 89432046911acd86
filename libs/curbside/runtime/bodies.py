"""Bodies of requests: none longer than may be, all together within a budget, and none that stops coming."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from http import HTTPStatus
from typing import Final

from prometheus_client import Counter, Gauge
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from curbside.errors import BadInput, CurbsideError, TooBusy, TooLarge
from curbside.runtime.problems import problem_response

REFUSED: Final = Counter(
    "curbside_http_refused_bodies",
    "Bodies that were not read to their end, by the problem's code.",
    ["code"],
)
HELD: Final = Gauge("curbside_http_held_bytes", "Bytes of bodies of requests that are under way.")
_RETRY_AFTER: Final = 1  # seconds
_KEY: Final = "curbside.body"


class StalledBody(BadInput):
    """RFC 9110, 15.5.9."""

    code = "input.stalled"
    status = HTTPStatus.REQUEST_TIMEOUT
    grpc_status = "DEADLINE_EXCEEDED"
    title = "The body stopped coming"


class TooManyBodies(TooBusy):
    code = "too-busy.bodies"


def hold(request: Request, size: int) -> None:
    """Count `size` bytes that were unpacked of the body of `request`, until it is answered. Raises
    TooManyBodies."""
    body: _Body = request.scope[_KEY]
    body.hold(size)


class BoundedBodies:
    """Refuses a body above `max_bytes` with 413, before it is read whole; one that does not fit into what all
    may take together (`max_total_bytes`) with 429, before it is read where its length is said; and one of
    which nothing comes for `patience` with 408.

    What a request holds it holds until it is answered: its body is in memory as long, and what was unpacked
    of it (`hold`). A body that nobody reads holds nothing. A request is let by where no other holds anything.
    Below `streams` are routes that bound theirs themselves and keep nothing of them: of these bounds only
    `patience` is theirs.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        max_bytes: int,
        max_total_bytes: int,
        patience: timedelta,
        streams: tuple[str, ...] = (),
    ) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._max_total_bytes = max_total_bytes
        self._patience = patience
        self._streams = streams
        self._held = 0
        HELD.set_function(lambda: self._held)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if scope["path"].startswith(self._streams):
            await self._app(scope, lambda: self.next_of(receive), send)
            return
        stated = dict(scope["headers"]).get(b"content-length", b"")
        declared = int(stated) if stated.isdigit() else 0
        if declared > self._max_bytes:
            await self._refuse(self.too_large(), scope, receive, send)
            return
        scope[_KEY] = body = _Body(self, declared, receive)

        async def noted_send(message: Message) -> None:
            if body.refused is not None and not body.answered:
                return  # frameworks turn what a body raises into an answer of their own: ours is sent below
            body.answered = True
            await send(message)

        try:
            await self._app(scope, body.receive, noted_send)
        except CurbsideError as problem:
            if body.answered or problem is not body.refused:
                raise
        finally:
            self._held -= body.held
        if body.refused is not None and not body.answered:
            await self._refuse(body.refused, scope, receive, send)

    async def _refuse(self, problem: CurbsideError, scope: Scope, receive: Receive, send: Send) -> None:
        REFUSED.labels(code=problem.code).inc()
        await problem_response(problem, scope["path"])(scope, receive, send)

    def hold(self, size: int, mine: int) -> None:
        """`size` bytes for who holds `mine`. Raises TooManyBodies where they do not fit beside others."""
        if self._held > mine and self._held + size > self._max_total_bytes:
            raise TooManyBodies(
                f"bodies of {self._held} bytes are under way already",
                mend="Send it again after the seconds of Retry-After.",
                retry_after=_RETRY_AFTER,
            )
        self._held += size

    async def next_of(self, receive: Receive) -> Message:
        try:
            async with asyncio.timeout(self._patience.total_seconds()):
                return await receive()
        except TimeoutError:
            raise StalledBody(
                f"nothing came of the body for {self._patience.total_seconds():g} seconds",
                field="body",
                mend="Send it again, whole.",
            ) from None

    def check(self, size: int) -> None:
        if size > self._max_bytes:
            raise self.too_large()

    def too_large(self) -> TooLarge:
        return TooLarge(
            f"the body is larger than {self._max_bytes} bytes",
            field="body",
            mend="Send fewer reports at a time, or raise CURBSIDE_RUNTIME__MAX_BODY_BYTES.",
        )


class _Body:
    """One on its way in."""

    def __init__(self, bounds: BoundedBodies, declared: int, receive: Receive) -> None:
        self._bounds = bounds
        self._declared = declared
        self._receive = receive
        self._came = 0
        self._begun = self._ended = False
        self.held = 0
        self.refused: CurbsideError | None = None
        self.answered = False

    async def receive(self) -> Message:
        if self._ended:
            return await self._receive()  # that the client is gone, whenever that is
        try:
            if not self._begun:
                self._begun = True
                self.hold(self._declared)
            message = await self._bounds.next_of(self._receive)
            self._came += len(message.get("body", b""))
            self._bounds.check(self._came)
            if self._came > self.held:  # nobody said how long it is
                self.hold(self._came - self.held)
        except CurbsideError as problem:
            self.refused = problem
            raise
        self._ended = not message.get("more_body", False)
        return message

    def hold(self, size: int) -> None:
        self._bounds.hold(size, self.held)
        self.held += size
