"""What one client may send: the next request is told to wait, before its body is read, and others are not."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest
from prometheus_client import REGISTRY

from curbside.identity.principal import Principal, Role
from curbside.settings import BadSetting
from curbside.testing.platform import TestPlatform, open_test_platform
from curbside_ingestion.pacing import Pace, TooFast

REPORTS = "/ingestion/v1/reports"


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("throttled.utils.now_mono_f", clock)
    return clock


class Client:
    def __init__(self, opened: TestPlatform, token: str) -> None:
        transport = httpx2.ASGITransport(app=opened.app)
        headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
        self.http = httpx2.AsyncClient(transport=transport, base_url="http://test", headers=headers)
        self.read = 0

    async def post(self, text: str) -> httpx2.Response:
        return await self.http.post(REPORTS, content=json.dumps({"text": text}))

    async def post_parts(self, *parts: bytes) -> httpx2.Response:
        """A body whose length is not said; `read` counts the parts that were asked for."""

        async def body() -> AsyncIterator[bytes]:
            for part in parts:
                self.read += 1
                yield part

        return await self.http.post(REPORTS, content=body())


@asynccontextmanager
async def limited(
    directory: Path, monkeypatch: pytest.MonkeyPatch, **limits: int
) -> AsyncIterator[TestPlatform]:
    for name, value in limits.items():
        monkeypatch.setenv(f"CURBSIDE_INGESTION__CLIENT_{name.upper()}", str(value))
    async with open_test_platform("ingestion", directory) as opened:
        yield opened


async def client_of(opened: TestPlatform, name: str = "ris", tenant: str = "default") -> Client:
    return Client(opened, await opened.tokens.issue(name, [Role.STEWARD], tenant=tenant, actor="test"))


def refused(limit: str) -> float:
    return REGISTRY.get_sample_value("curbside_ingestion_limited_requests_total", {"limit": limit}) or 0.0


async def test_a_client_that_sends_too_fast_waits_and_others_do_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    before = refused("requests")
    async with limited(tmp_path, monkeypatch, requests_per_second=2, burst_requests=3) as opened:
        ris = await client_of(opened)
        for left, reset in ((2, 1), (1, 1), (0, 2)):
            answer = await ris.post(f"report {left}")
            assert answer.status_code == 202
            assert answer.headers["ratelimit-policy"] == '"requests";q=3;w=2;qu="request"'
            assert answer.headers["ratelimit"] == f'"requests";r={left};t={reset}'
        answer = await ris.post("too fast")
        problem = answer.json()
        assert (answer.status_code, problem["code"]) == (429, "client.too-fast")
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["retry-after"] == "1"
        assert answer.headers["ratelimit"] == '"requests";r=0;t=2'
        assert "CLIENT_REQUESTS_PER_SECOND" in problem["mend"]
        assert refused("requests") == before + 1
        # Another token of that name is the same client; another name or tenant is another.
        assert (await (await client_of(opened)).post("same")).status_code == 429
        assert (await (await client_of(opened, "pacs")).post("other")).status_code == 202
        assert (await (await client_of(opened, tenant="north")).post("other")).status_code == 202
        assert (await ris.http.get("/readyz")).status_code == 200
        assert (await ris.http.get("/ingestion/v1/ledger")).status_code == 429
        clock.now += 0.5
        assert (await ris.post("later")).status_code == 202
        assert (await ris.post("again too fast")).status_code == 429


async def test_who_is_refused_is_so_before_the_body_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    async with limited(tmp_path, monkeypatch, requests_per_second=1, burst_requests=1) as opened:
        client = await client_of(opened)
        assert (await client.post_parts(b'{"text": ', b'"a"}')).status_code == 202
        read = client.read
        # The transport itself takes the first part out.
        assert (await client.post_parts(*[b" "] * 10)).status_code == 429
        assert client.read <= read + 1


async def test_a_stranger_is_refused_as_a_stranger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    async with limited(tmp_path, monkeypatch, requests_per_second=1, burst_requests=1) as opened:
        for token in ("", "cbs_x_y", "cbs_x_y"):
            assert (await Client(opened, token).post("a")).status_code == 401


async def test_bytes_are_counted_by_what_is_said_and_else_by_what_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    async with limited(tmp_path, monkeypatch, bytes_per_minute=600) as opened:
        client = await client_of(opened)
        answer = await client.post("a" * 388)  # and 12 of JSON
        assert answer.status_code == 202
        assert answer.headers["ratelimit-policy"] == '"bytes";q=600;w=60;qu="content-bytes"'
        assert answer.headers["ratelimit"] == '"bytes";r=200;t=40'
        assert (await client.post("b" * 300)).status_code == 429
        assert (await client.post("b" * 100)).status_code == 202
        answer = await client.post_parts(b'{"text": "' + b"c" * 40, b"c" * 40, b'"}')
        assert (answer.status_code, answer.json()["code"]) == (429, "client.too-fast")
        assert int(answer.headers["retry-after"]) >= 1
        clock.now += 60
        # What is longer than all of a minute's takes all of it, and passes.
        assert (await client.post("d" * 5_000)).status_code == 202
        clock.now += 59
        assert (await client.post("e" * 580)).status_code == 429


async def test_there_is_no_limit_unless_one_is_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with limited(tmp_path, monkeypatch) as opened:
        assert opened.service.gate is None, "what is off costs nothing"
        assert "ratelimit" not in (await (await client_of(opened)).post("a")).headers
    with pytest.raises(BadSetting, match="CURBSIDE_INGESTION__CLIENT_BURST_REQUESTS"):
        async with limited(tmp_path, monkeypatch, burst_requests=0):
            raise AssertionError("it must not start")


def test_many_clients_take_bounded_memory(clock: Clock) -> None:
    pace = Pace(requests_per_second=1, burst_requests=1, bytes_per_minute=1)
    for number in range(10_100):
        pace.request(Principal(f"token:{number}", "default", frozenset()), 1)
    assert pace._requests is not None
    assert len(pace._requests._limiter._store._backend.get_client()) == 10_000
    last = Principal("token:10099", "default", frozenset())
    with pytest.raises(TooFast):
        pace.request(last, 1)
