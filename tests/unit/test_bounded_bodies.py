"""Bodies of requests: one that is too long, that stops coming, or that does not fit beside the others."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import Annotated, Any

import pytest
from fastapi import Body, FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.requests import ClientDisconnect
from starlette.types import Message

from curbside.runtime.bodies import BoundedBodies, TooManyBodies, hold
from curbside.runtime.problems import problem_response

MAX, TOTAL = 100, 250
HOUR = timedelta(hours=1)


class Caller:
    """A request whose body comes in parts, as the test sends them."""

    def __init__(self, app: Any, *, declared: int | None = None, path: str = "/raw") -> None:
        self.parts: asyncio.Queue[Message] = asyncio.Queue()
        self.sent: list[Message] = []
        headers = [] if declared is None else [(b"content-length", str(declared).encode())]
        headers.append((b"content-type", b"application/json"))
        scope = {
            "type": "http",
            "method": "POST",
            "path": path,
            "raw_path": path.encode(),
            "headers": headers,
        }
        scope |= {"query_string": b"", "http_version": "1.1", "scheme": "http", "server": ("test", 80)}
        self.task = asyncio.create_task(app(scope, self.parts.get, self.send))

    async def send(self, message: Message) -> None:
        self.sent.append(message)

    def come(self, size: int, *, more: bool = False) -> None:
        self.parts.put_nowait({"type": "http.request", "body": b"1" * size, "more_body": more})

    async def answer(self) -> tuple[int, dict[str, Any]]:
        await asyncio.wait_for(self.task, 10)
        status = self.sent[0]["status"]
        return status, json.loads(b"".join(message.get("body", b"") for message in self.sent))


async def _as_a_problem(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, TooManyBodies)
    return problem_response(error)


def bounded(*, patience: timedelta = HOUR, held: asyncio.Event | None = None) -> BoundedBodies:
    app = FastAPI(exception_handlers={TooManyBodies: _as_a_problem})

    @app.post("/raw")
    async def raw(request: Request) -> dict[str, int]:
        size = len(await request.body())
        if held is not None:
            await held.wait()
        return {"size": size}

    @app.post("/read")
    async def read(body: Annotated[int, Body()]) -> dict[str, int]:
        return {"size": len(str(body))}

    @app.post("/unpacked")
    async def unpacked(request: Request) -> dict[str, int]:
        size = 10 * len(await request.body())
        hold(request, size)
        return {"size": size}

    @app.post("/unread")
    async def unread() -> dict[str, int]:
        return {"size": 0}

    return BoundedBodies(app, max_bytes=MAX, max_total_bytes=TOTAL, patience=patience)


async def read_by_now(*callers: Caller) -> None:
    """Until what was sent has been taken."""
    while any(not caller.parts.empty() for caller in callers):
        await asyncio.sleep(0)
    for _ in range(20):
        await asyncio.sleep(0)


@pytest.mark.parametrize("path", ["/raw", "/read"])
async def test_a_body_that_is_too_long_is_refused_when_it_says_so_and_when_it_is(path: str) -> None:
    app = bounded()
    status, problem = await Caller(app, declared=MAX + 1, path=path).answer()
    assert (status, problem["code"], problem["field"]) == (413, "input.too-large", "body")
    silent = Caller(app, path=path)
    silent.come(MAX, more=True)
    silent.come(1)
    status, problem = await silent.answer()
    assert (status, problem["code"]) == (413, "input.too-large")


@pytest.mark.parametrize("path", ["/raw", "/read"])
async def test_a_body_that_stops_coming_is_given_up(path: str) -> None:
    caller = Caller(bounded(patience=timedelta(milliseconds=20)), declared=10, path=path)
    caller.come(5, more=True)
    status, problem = await caller.answer()
    assert (status, problem["code"], problem["field"]) == (408, "input.stalled", "body")
    assert (b"connection", b"close") in caller.sent[0]["headers"]


async def test_a_whole_body_waits_for_its_answer_longer_than_a_part_for_the_next() -> None:
    held = asyncio.Event()
    caller = Caller(bounded(patience=timedelta(milliseconds=1), held=held), declared=5)
    caller.come(5)
    await read_by_now(caller)
    held.set()
    assert await caller.answer() == (200, {"size": 5})


async def test_what_does_not_fit_beside_others_is_refused_before_it_is_read_and_fits_after_them() -> None:
    held = asyncio.Event()
    app = bounded(held=held)
    first, second = Caller(app, declared=100), Caller(app, declared=100)
    for caller in (first, second):
        caller.come(100)
    await read_by_now(first, second)
    third = Caller(app, declared=51)
    third.come(51)
    status, problem = await third.answer()
    assert (status, problem["code"]) == (429, "too-busy.bodies")
    assert (b"retry-after", b"1") in third.sent[0]["headers"]
    assert not third.parts.empty()
    small = Caller(app, declared=50)
    small.come(50)
    await read_by_now(small)
    held.set()
    for caller in (first, second, small):
        assert (await caller.answer())[0] == 200
    again = Caller(app, declared=100)
    again.come(100)
    assert await again.answer() == (200, {"size": 100})


@pytest.mark.parametrize("path", ["/raw", "/read"])
async def test_a_body_of_unsaid_length_holds_what_has_come_of_it(path: str) -> None:
    held = asyncio.Event()
    app = bounded(held=held)
    others = [Caller(app, declared=100), Caller(app, declared=100)]
    for caller in others:
        caller.come(100)
    await read_by_now(*others)
    silent = Caller(app, path=path)
    silent.come(50, more=True)
    silent.come(1)
    status, problem = await silent.answer()
    assert (status, problem["code"]) == (429, "too-busy.bodies")
    held.set()
    for caller in others:
        await caller.answer()


async def test_a_body_that_nobody_reads_or_whose_sender_is_gone_holds_nothing() -> None:
    app = bounded()
    for _ in range(5):
        assert (await Caller(app, declared=100, path="/unread").answer())[0] == 200
        gone = Caller(app, declared=100)
        gone.come(50, more=True)
        gone.parts.put_nowait({"type": "http.disconnect"})
        with pytest.raises(ClientDisconnect):
            await asyncio.wait_for(gone.task, 10)
    last = Caller(app, declared=100)
    last.come(100)
    assert (await last.answer())[0] == 200


async def test_what_is_unpacked_counts_too_and_is_let_by_where_nothing_else_is_under_way() -> None:
    held = asyncio.Event()
    app = bounded(held=held)
    alone = Caller(app, declared=30, path="/unpacked")
    alone.come(30)
    assert await alone.answer() == (200, {"size": 300})
    other = Caller(app, declared=10)
    other.come(10)
    await read_by_now(other)
    beside = Caller(app, declared=30, path="/unpacked")
    beside.come(30)
    status, problem = await beside.answer()
    assert (status, problem["code"]) == (429, "too-busy.bodies")
    held.set()
    assert (await other.answer())[0] == 200
