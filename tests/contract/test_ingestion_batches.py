"""Batches: what became of the reports that came together, asked for once or watched as it happens."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import pytest
import uvicorn
from fastapi import FastAPI

from curbside.contracts.events import new_event
from curbside.contracts.v1 import events_pb2
from curbside.errors import Unavailable
from curbside.identity.principal import Role
from curbside.runtime.host import listen
from curbside.testing.platform import TestPlatform, open_test_platform
from curbside.testing.servers.process import free_port
from curbside_ingestion.batches.handlers import find_outcome, look_at
from curbside_ingestion.batches.http import batch_routes
from curbside_ingestion.batches.watching import Watch
from curbside_ingestion.domain.batches import EXTRACTING
from curbside_ingestion.domain.states import ReportState
from curbside_ingestion.waiting.queue import ExtractionQueue

pytestmark = pytest.mark.usefixtures("halves")

NAME = "Wolfgang Katzenbach"
MARKUP = b"<html><body><h1>Chest film</h1><p>FINDINGS: No nodule.</p></body></html>"


@dataclass
class Client:
    opened: TestPlatform
    http: httpx2.AsyncClient

    async def send(self, *lines: Any) -> httpx2.Response:
        content = "\n".join(json.dumps(line) for line in lines)
        headers = {"content-type": "application/x-ndjson"}
        return await self.http.post("/ingestion/v1/reports:batch", content=content, headers=headers)

    async def batch(self, *texts: str) -> dict[str, Any]:
        answer = await self.send(*({"text": f"{NAME} {text}", "id": text} for text in texts))
        assert answer.status_code == 202, answer.text
        said: dict[str, Any] = answer.json()
        return said

    async def outcome(self, batch_id: str, **query: int) -> dict[str, Any]:
        answer = await self.http.get(f"/ingestion/v1/batches/{batch_id}", params=query)
        assert answer.status_code == 200, answer.text
        assert "Katzenbach" not in answer.text
        said: dict[str, Any] = answer.json()
        return said

    async def move(self, payload: Any) -> None:
        await self.opened.deliver(new_event(payload, tenant="default", subject="s"))

    @property
    def watch(self) -> Watch:
        watch: Watch = self.opened.service.stopping[0].__self__  # type: ignore[attr-defined]
        return watch


async def connect(opened: TestPlatform, role: Role = Role.STEWARD, tenant: str = "default") -> Client:
    headers = {"authorization": f"Bearer {await opened.token(role, tenant=tenant)}"}
    transport = httpx2.ASGITransport(app=opened.app)
    return Client(opened, httpx2.AsyncClient(transport=transport, base_url="http://test", headers=headers))


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    async with open_test_platform("ingestion", tmp_path / "data") as opened:
        yield await connect(opened)


def counted(outcome: dict[str, Any]) -> dict[str, int]:
    """The states that some report of the batch is in."""
    return {state: count for state, count in outcome["states"].items() if count}


def of_rows(outcome: dict[str, Any]) -> tuple[int, ...]:
    return tuple(outcome[name] for name in ("rows", "accepted", "already_there", "refused", "reports"))


async def test_a_batch_says_where_its_reports_are(client: Client) -> None:
    sent = await client.batch("a", "b", "c", "d")
    shown = await client.outcome(sent["batch_id"])
    assert shown["batch_id"] == sent["batch_id"]
    assert of_rows(shown) == (4, 4, 0, 0, 4)
    assert set(shown["states"]) == {EXTRACTING, *ReportState}
    assert (counted(shown), shown["finished"]) == ({"pending": 4}, False)
    assert shown["begun_at"] <= shown["received_at"]
    a, b, c, d = (row["report_id"] for row in sent["accepted"])
    await client.move(events_pb2.ReportDeidentified(report_id=a))
    await client.move(events_pb2.ReportQuarantined(report_id=b, reason="deid.risk"))
    await client.move(events_pb2.ReportRejected(report_id=c, reason="language"))
    shown = await client.outcome(sent["batch_id"])
    assert counted(shown) == {"pending": 1, "deidentified": 1, "quarantined": 1, "rejected": 1}
    assert not shown["finished"]
    await client.move(events_pb2.ReportDeidentified(report_id=d, released=True))
    assert (await client.outcome(sent["batch_id"]))["finished"]
    amended = {"text": f"{NAME} is better", "id": "a", "status": "amended"}
    assert (await client.send(amended)).status_code == 202
    shown = await client.outcome(sent["batch_id"])
    assert counted(shown) == {"superseded": 1, "quarantined": 1, "rejected": 1, "released": 1}


async def test_a_report_counts_in_every_batch_that_brought_it(client: Client) -> None:
    first, second = await client.batch("a", "b"), await client.batch("b", "c", "c")
    assert of_rows(await client.outcome(first["batch_id"])) == (2, 2, 0, 0, 2)
    assert of_rows(await client.outcome(second["batch_id"])) == (3, 1, 2, 0, 2)
    third = await client.send({"text": f"{NAME} b", "id": "b"})
    assert third.status_code == 409
    shown = await client.outcome(third.json()["batch_id"])
    assert (of_rows(shown), counted(shown)) == ((1, 0, 1, 0, 1), {"pending": 1})


async def test_what_was_refused_is_listed_by_row_and_in_pages(client: Client) -> None:
    good = {"text": f"{NAME} is well", "id": "a"}
    changed = {"text": f"{NAME} is ill", "id": "a"}
    answer = await client.send(good, {"id": "b"}, changed, {"text": " "}, {"text": 5})
    batch_id = answer.json()["batch_id"]
    shown = await client.outcome(batch_id)
    assert of_rows(shown) == (5, 1, 0, 4, 1)
    assert shown["rejected"] == answer.json()["rejected"]
    assert [row["row"] for row in shown["rejected"]] == [2, 3, 4, 5]
    assert shown["next"] is None
    page = await client.outcome(batch_id, limit=3)
    assert ([row["row"] for row in page["rejected"]], page["next"]) == ([2, 3, 4], 4)
    last = await client.outcome(batch_id, limit=3, after=page["next"])
    assert ([row["row"] for row in last["rejected"]], last["next"]) == ([5], None)
    nothing = await client.send({"id": "b"}, {"text": 5})
    shown = await client.outcome(nothing.json()["batch_id"])
    assert (of_rows(shown), shown["finished"]) == ((2, 0, 0, 2, 0), True)


async def test_a_document_whose_text_is_not_there_yet_is_extracting(client: Client) -> None:
    form = {"file": ("film.html", MARKUP, "text/html")}
    answer = await client.http.post("/ingestion/v1/reports:batch", files=form)
    assert answer.status_code == 202, answer.text
    batch_id = answer.json()["batch_id"]
    assert counted(await client.outcome(batch_id)) == {EXTRACTING: 1}
    queue: ExtractionQueue = client.opened.service.tasks[0].__self__  # type: ignore[attr-defined]
    while await queue.extract_some():
        continue
    shown = await client.outcome(batch_id)
    assert (counted(shown), shown["finished"]) == ({"pending": 1}, False)


async def test_a_body_that_is_no_batch_makes_none(client: Client) -> None:
    answer = await client.send()
    assert answer.status_code == 422
    assert "batch_id" not in answer.json()


async def test_a_batch_is_shown_to_readers_of_its_tenant_alone(client: Client) -> None:
    batch_id = (await client.batch("a"))["batch_id"]
    stranger = await connect(client.opened, tenant="elsewhere")
    clinician = await connect(client.opened, Role.CLINICIAN)
    for path in (f"batches/{batch_id}", f"batches/{batch_id}/events"):
        for asked, status, code in (
            (stranger, 404, "batch.unknown"),
            (clinician, 403, "identity.forbidden"),
        ):
            answer = await asked.http.get(f"/ingestion/v1/{path}")
            assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert (await client.http.get("/ingestion/v1/batches/nothing")).status_code == 404


@pytest.fixture
async def url(client: Client) -> AsyncIterator[str]:
    """The application on a port: what is streamed must cross a connection."""
    async with served(client.opened.app) as address:
        yield address


@asynccontextmanager
async def served(app: Any) -> AsyncIterator[str]:
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, timeout_graceful_shutdown=20))
    with closing(listen("127.0.0.1", port, "PORT")) as listener:
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        yield f"http://127.0.0.1:{port}"
        server.should_exit = True
        await serving


class Stream:
    """A live stream, event by event: its name, what it says, and its id."""

    def __init__(self, answer: httpx2.Response) -> None:
        self.answer = answer
        self._lines = answer.aiter_lines()
        self.comments = 0

    async def event(self) -> tuple[str, dict[str, Any], str] | None:
        """The next event; None where the stream ends."""
        said: dict[str, str] = {}
        async for line in self._lines:
            self.comments += line.startswith(":")
            name, _, value = line.partition(": ")
            if line:
                said[name] = value
            elif "data" in said:
                return said["event"], json.loads(said["data"]), said["id"]
            else:
                said = {}
        return None

    async def comment(self) -> None:
        async for line in self._lines:
            if line.startswith(":"):
                return


@asynccontextmanager
async def watched(
    client: Client, url: str, batch_id: str, *, last: str | None = None, path: str = "/events"
) -> AsyncIterator[Stream]:
    headers = {**client.http.headers, "accept": "text/event-stream"}
    if last is not None:
        headers["last-event-id"] = last
    async with (
        httpx2.AsyncClient(base_url=url, headers=headers, timeout=60) as http,
        http.stream("GET", f"/ingestion/v1/batches/{batch_id}{path}") as answer,
    ):
        yield Stream(answer)


async def none_watches(watch: Watch) -> None:
    """A client that goes is noticed by the server in its own time."""
    while watch.seats:
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("path", ["", "/events"])
async def test_a_batch_is_watched_until_it_is_finished(client: Client, url: str, path: str) -> None:
    sent = await client.batch("a", "b")
    a, b = (row["report_id"] for row in sent["accepted"])
    async with watched(client, url, sent["batch_id"], path=path) as stream:
        assert stream.answer.headers["content-type"].startswith("text/event-stream")
        assert stream.answer.headers["cache-control"] == "no-store"
        first = await stream.event()
        await client.move(events_pb2.ReportDeidentified(report_id=a))
        second = await stream.event()
        await client.move(events_pb2.ReportQuarantined(report_id=b, reason="deid.risk"))
        third, last = await stream.event(), await stream.event()
        assert first is not None
        assert second is not None
        assert third is not None
        assert last is not None
        assert [name for name, _, _ in (first, second, third, last)] == ["progress"] * 3 + ["done"]
        assert counted(first[1]) == {"pending": 2}
        assert counted(second[1]) == {"pending": 1, "deidentified": 1}
        assert third[1] == last[1]
        assert last[1]["finished"]
        assert await stream.event() is None
    await asyncio.wait_for(none_watches(client.watch), 30)


async def test_who_comes_back_is_not_told_again(client: Client, url: str) -> None:
    sent = await client.batch("a")
    async with watched(client, url, sent["batch_id"]) as stream:
        event = await stream.event()
        assert event is not None
    async with watched(client, url, sent["batch_id"], last=event[2]) as stream:
        await client.move(events_pb2.ReportDeidentified(report_id=sent["accepted"][0]["report_id"]))
        later, done = await stream.event(), await stream.event()
        assert later is not None
        assert done is not None
        assert counted(later[1]) == {"deidentified": 1}
    async with watched(client, url, sent["batch_id"], last=later[2]) as stream:
        assert await stream.event() == done  # what was seen is not sent, but that it is over is
        assert await stream.event() is None
    async with watched(client, url, sent["batch_id"], last=done[2]) as stream:
        assert stream.answer.status_code == 204  # a browser asks no more


async def test_a_token_watches_only_so_many(client: Client, url: str) -> None:
    batch_id = (await client.batch("a"))["batch_id"]
    async with AsyncExitStack() as open_streams:
        streams = [await open_streams.enter_async_context(watched(client, url, batch_id)) for _ in range(8)]
        for stream in streams:
            assert await stream.event()
        async with watched(client, url, batch_id) as ninth:
            assert ninth.answer.status_code == 429
            assert ninth.answer.headers["retry-after"] == "30"
        assert client.watch.seats == 8
    await asyncio.wait_for(none_watches(client.watch), 30)
    async with watched(client, url, batch_id) as stream:
        assert await stream.event()


async def test_a_stream_ends_when_the_service_stops(client: Client) -> None:
    batch_id = (await client.batch("a"))["batch_id"]
    async with served(client.opened.app) as url:
        async with watched(client, url, batch_id) as stream:
            assert await stream.event()
            for end_answers in client.opened.service.stopping:
                end_answers()
            assert await stream.event() is None  # whole: no connection is cut
        async with watched(client, url, batch_id) as late:
            assert await late.event() is None


@asynccontextmanager
async def beating(client: Client) -> AsyncIterator[tuple[Watch, str]]:
    """The routes of batches with a heart that beats fast."""
    database = client.opened.platform.database
    watch = Watch(partial(look_at, database=database), seats_each=8, heartbeat=timedelta(milliseconds=20))
    router = batch_routes(show=None, find=partial(find_outcome, database=database), watch=watch)  # type: ignore[arg-type]
    app = FastAPI()
    app.state.tokens = client.opened.tokens
    app.include_router(router, prefix="/ingestion")
    async with served(app) as url:
        yield watch, url
        watch.stop()


async def test_a_silent_stream_says_that_it_lives(client: Client) -> None:
    batch_id = (await client.batch("a"))["batch_id"]
    async with beating(client) as (_, url), watched(client, url, batch_id) as stream:
        assert await stream.event()
        await stream.comment()
        await stream.comment()


async def test_a_token_that_is_revoked_sees_nothing_more(client: Client) -> None:
    batch_id = (await client.batch("a"))["batch_id"]
    token_id = client.http.headers["authorization"].split("_")[1]
    async with beating(client) as (watch, url), watched(client, url, batch_id) as stream:
        assert await stream.event()
        await client.opened.tokens.revoke(token_id, actor="test")
        assert await stream.event() is None
        await asyncio.wait_for(none_watches(watch), 30)


async def test_a_database_that_does_not_answer_ends_no_stream(client: Client, url: str) -> None:
    sent = await client.batch("a")
    answers = partial(look_at, database=client.opened.platform.database)
    looked = 0

    async def look(batch_ids: Any) -> Any:
        nonlocal looked
        looked += 1
        if looked == 1:
            raise Unavailable("away")
        return await answers(batch_ids)

    watch = Watch(look, seats_each=1, poll=timedelta(milliseconds=10))
    principal = await client.opened.tokens.authenticate(client.http.headers["authorization"][7:])
    outcome = await find_outcome(sent["batch_id"], principal, database=client.opened.platform.database)
    seat = watch.take_seat(outcome, principal.id)
    seen = watch.outcomes(seat)
    assert await anext(seen) is outcome
    await client.move(events_pb2.ReportDeidentified(report_id=sent["accepted"][0]["report_id"]))
    changed = await anext(seen)
    assert changed is not None
    assert changed.finished
    assert looked > 1
    watch.stop()
    watch.leave(seat)
    assert [outcome async for outcome in seen] == []
