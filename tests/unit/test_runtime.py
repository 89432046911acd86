"""The host's edges: problems, bounded bodies, health, tokens; the supervisor; the command."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path

import httpx2
import pytest
from fastapi import APIRouter, FastAPI
from pydantic import BaseModel

from curbside.errors import NotFound, Unauthenticated, Unavailable
from curbside.identity import Role, Scope
from curbside.identity.http import CanIngest
from curbside.identity.tokens import Tokens, UnknownRole
from curbside.runtime import health
from curbside.runtime.host import PortTaken, listen
from curbside.runtime.installation import provide_tokens
from curbside.runtime.platform import key_ring, open_tokens
from curbside.runtime.services import Service
from curbside.runtime.supervisor import AlreadyRunning, Child, ChildGaveUp, Supervisor
from curbside.runtime.web import create_app
from curbside.settings import BadSetting, Profile, RuntimeSettings, load

router = APIRouter()


class Body(BaseModel):
    text: str


class Ghost(NotFound):
    code = "test.ghost"


@router.post("/v1/echo")
async def echo(body: Body, principal: CanIngest) -> dict[str, str]:
    return {"length": str(len(body.text)), "principal": principal.id}


@router.get("/v1/ghost")
async def ghost(principal: CanIngest) -> None:
    raise Ghost("there is no ghost", field="ghost", mend="Ask elsewhere.")


@router.get("/v1/crash")
async def crash(principal: CanIngest) -> None:
    raise RuntimeError("Jane Doe crashed it")


@pytest.fixture
async def tokens(runtime: RuntimeSettings) -> AsyncIterator[Tokens]:
    tokens, database = open_tokens(runtime, key_ring(runtime))
    yield tokens
    await database.close()


class Switch:
    """A dependency that can be down."""

    down = False

    async def check(self) -> None:
        if self.down:
            raise Unavailable("the model is not loaded yet")


@pytest.fixture
def switch() -> Switch:
    return Switch()


@pytest.fixture
def app(runtime: RuntimeSettings, tokens: Tokens, switch: Switch) -> FastAPI:
    small = runtime.model_copy(update={"max_body_bytes": 1000})
    service = Service("ingestion", router=router, checks={"model": switch.check})
    return create_app([service], tokens=tokens, settings=small, checks={})


@pytest.fixture
async def client(app: FastAPI, tokens: Tokens) -> AsyncIterator[httpx2.AsyncClient]:
    token = await tokens.issue("steward", [Role.STEWARD], tenant="default", actor="test")
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(
        transport=transport, base_url="http://test", headers={"authorization": f"Bearer {token}"}
    ) as client:
        yield client


async def test_an_error_is_a_problem_that_names_field_and_mend(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/ingestion/v1/ghost")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "type": "urn:curbside:problem:test.ghost",
        "title": "There is no such thing",
        "status": 404,
        "detail": "there is no ghost",
        "code": "test.ghost",
        "field": "ghost",
        "mend": "Ask elsewhere.",
        "instance": "/ingestion/v1/ghost",
    }


async def test_a_wrong_shape_names_the_field_and_never_quotes_the_input(client: httpx2.AsyncClient) -> None:
    answer = await client.post("/ingestion/v1/echo", json={"text": ["Jane Doe"]})
    assert answer.status_code == 422
    assert answer.json()["field"] == "text"
    assert "Jane" not in answer.text


async def test_what_nobody_foresaw_is_a_500_without_its_message(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/ingestion/v1/crash")
    assert answer.status_code == 500
    assert "Jane" not in answer.text
    assert answer.json()["code"] == "internal"


async def test_an_unknown_path_is_a_problem_too(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/nowhere")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


async def test_a_large_body_is_refused_whether_or_not_it_says_its_length(client: httpx2.AsyncClient) -> None:
    async def stream() -> AsyncIterator[bytes]:
        for _ in range(30):
            yield b'{"text": "' + b"x" * 100

    for content in (b"x" * 2000, stream()):
        answer = await client.post(
            "/ingestion/v1/echo", content=content, headers={"content-type": "application/json"}
        )
        assert answer.status_code == 413
        assert answer.json()["field"] == "body"


@pytest.mark.parametrize("header", [None, "Basic abc", "Bearer", "Bearer cbs_nope_nope", "Bearer nonsense"])
async def test_without_a_valid_token_nothing_is_served(
    client: httpx2.AsyncClient, header: str | None
) -> None:
    del client.headers["authorization"]
    headers = {"authorization": header} if header else {}
    answer = await client.post("/ingestion/v1/echo", json={"text": "x"}, headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_a_token_without_the_scope_is_forbidden(client: httpx2.AsyncClient, tokens: Tokens) -> None:
    clinician = await tokens.issue("dr", [Role.CLINICIAN], tenant="default", actor="test")
    answer = await client.post(
        "/ingestion/v1/echo", json={"text": "x"}, headers={"authorization": f"Bearer {clinician}"}
    )
    assert answer.status_code == 403
    assert Scope.REPORTS_WRITE in answer.json()["detail"]


async def test_alive_is_not_ready(client: httpx2.AsyncClient, switch: Switch) -> None:
    switch.down = True
    assert (await client.get("/livez")).status_code == 200
    answer = await client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["services"]["ingestion"]["model"] == "the model is not loaded yet"
    switch.down = False
    assert (await client.get("/readyz")).status_code == 200


async def test_who_only_scrapes_learns_that_a_service_is_not_ready(
    client: httpx2.AsyncClient, switch: Switch
) -> None:
    for down, value in ((True, "0.0"), (False, "1.0")):
        switch.down = down
        metrics = await client.get("/metrics")
        assert metrics.status_code == 200
        assert f'curbside_service_ready{{service="ingestion"}} {value}\n' in metrics.text


async def test_checks_that_hang_bound_a_scrape_once_and_not_each(
    runtime: RuntimeSettings, tokens: Tokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang() -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(health, "_CHECK_SECONDS", 0.2)
    services = [Service(name, checks={"model": hang, "bus": hang}) for name in ("ingestion", "datasets")]
    app = create_app(services, tokens=tokens, settings=runtime, checks={"bus": hang})
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://test") as scraper:
        started = time.monotonic()
        metrics = (await scraper.get("/metrics")).text
        assert time.monotonic() - started < 0.5  # three checks one after another would take 0.6 s
    for name in ("platform", "ingestion", "datasets"):
        assert f'curbside_service_ready{{service="{name}"}} 0.0\n' in metrics


async def test_requests_are_counted_by_route_and_status(client: httpx2.AsyncClient) -> None:
    await client.get("/ingestion/v1/ghost")
    metrics = (await client.get("/metrics")).text
    assert 'route="/ingestion/v1/ghost",service="ingestion",status="404"' in metrics


async def test_a_token_is_stored_only_as_a_hash_and_ends_when_it_should(
    tokens: Tokens, runtime: RuntimeSettings
) -> None:
    token = await tokens.issue("x", [Role.AUDITOR], tenant="default", actor="test")
    secret = token.split("_", 2)[2]
    assert secret.encode() not in (runtime.data / "identity.db").read_bytes()
    assert (await tokens.authenticate(token)).roles == {Role.AUDITOR}
    await tokens.revoke(token.split("_")[1], actor="test")
    with pytest.raises(Unauthenticated):
        await tokens.authenticate(token)
    expired = await tokens.issue(
        "y", [Role.AUDITOR], tenant="default", actor="test", lifetime=timedelta(seconds=-1)
    )
    with pytest.raises(Unauthenticated):
        await tokens.authenticate(expired)
    with pytest.raises(UnknownRole):
        await tokens.issue("z", ["king"], tenant="default", actor="test")


def test_up_makes_an_administrator_token_that_only_its_owner_reads(runtime: RuntimeSettings) -> None:
    path = provide_tokens(runtime)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    first = path.read_text()
    assert provide_tokens(runtime).read_text() == first


def test_a_taken_port_is_one_sentence_that_names_the_setting() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(PortTaken, match="CURBSIDE_RUNTIME__HTTP_PORT"):
            listen("127.0.0.1", taken.getsockname()[1], "CURBSIDE_RUNTIME__HTTP_PORT")


def test_a_bad_setting_names_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CURBSIDE_RUNTIME__HTTP_PORT", "99999999")
    with pytest.raises(BadSetting, match="CURBSIDE_RUNTIME__HTTP_PORT"):
        load(RuntimeSettings)


def test_settings_are_frozen_and_default_to_development() -> None:
    settings = RuntimeSettings()
    assert settings.profile is Profile.DEVELOPMENT
    with pytest.raises(ValueError, match="frozen"):
        settings.http_port = 1  # type: ignore[misc]


def supervised(children: list[Child], data: Path) -> tuple[Supervisor, threading.Thread, list[BaseException]]:
    supervisor = Supervisor(children, data, timedelta(seconds=5), log_files=True)
    raised: list[BaseException] = []

    def run() -> None:
        try:
            supervisor.run()
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return supervisor, thread, raised


def wait_for(condition: Callable[[], object], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def pids(data: Path) -> dict[str, int]:
    try:
        found: dict[str, int] = json.loads((data / "run" / "processes.json").read_text())
    except (OSError, ValueError):
        return {}
    return found


def test_a_killed_child_is_started_again_and_all_stop_together(tmp_path: Path) -> None:
    child = Child("web", ("serve", "--here", "datasets"), _free_ports(tmp_path))
    supervisor, thread, raised = supervised([child], tmp_path)
    wait_for(lambda: "web" in pids(tmp_path))
    first = pids(tmp_path)["web"]
    os.kill(first, signal.SIGKILL)
    wait_for(lambda: pids(tmp_path).get("web", first) != first)
    second = pids(tmp_path)["web"]
    with pytest.raises(AlreadyRunning, match="--data"):
        Supervisor([child], tmp_path, timedelta(seconds=1), log_files=True).run()
    supervisor.stop()
    thread.join(30)
    assert not raised
    with pytest.raises(ProcessLookupError):
        os.kill(second, 0)


def _free_ports(data: Path) -> dict[str, str]:
    with socket.socket() as one, socket.socket() as two:
        one.bind(("127.0.0.1", 0))
        two.bind(("127.0.0.1", 0))
        return {
            "CURBSIDE_RUNTIME__DATA_DIR": str(data),
            "CURBSIDE_RUNTIME__HTTP_PORT": str(one.getsockname()[1]),
            "CURBSIDE_RUNTIME__GRPC_PORT": str(two.getsockname()[1]),
        }


def test_a_child_that_needs_the_operator_ends_the_start_with_its_sentence(tmp_path: Path) -> None:
    _, thread, raised = supervised([Child("worker", ("serve", "worker"))], tmp_path)
    thread.join(30)
    assert isinstance(raised[0], ChildGaveUp)
    assert "--socket" in raised[0].message


def test_help_is_instant_because_heavy_imports_are_lazy() -> None:
    heavy = {
        "torch",
        "transformers",
        "ray",
        "spacy",
        "presidio_analyzer",
        "gradio",
        "pandas",
        "pyarrow",
        "fastapi",
        "rich",
    }
    script = (
        "import sys; from typer.testing import CliRunner; from curbside.runtime.command import app; "
        "result = CliRunner().invoke(app, ['--help']); assert result.exit_code == 0, result.output; "
        f"print(sorted({heavy!r} & set(sys.modules)))"
    )
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


def test_the_command_says_what_to_do_in_one_sentence(tmp_path: Path) -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "curbside", "ask", "x.txt", "--data", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 2
    assert answer.stderr.startswith("curbside: there is no token")
    assert answer.stderr.count("\n") == 1
