"""The host's edges: problems, bounded bodies, health, tokens; the supervisor; the command."""

from __future__ import annotations

import asyncio
import errno
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
from typing import Any

import grpc
import httpx2
import pytest
from fastapi import APIRouter, FastAPI
from filelock import FileLock
from grpc_health.v1 import health_pb2, health_pb2_grpc
from pydantic import BaseModel
from typer.testing import CliRunner

from curbside.demo.installation import Installation, NotOurs
from curbside.errors import CurbsideError, NotFound, Unauthenticated, Unavailable
from curbside.identity import Role, Scope
from curbside.identity.http import CanIngest
from curbside.identity.tokens import Tokens, UnknownRole
from curbside.runtime import health
from curbside.runtime.command import app as app_of_command
from curbside.runtime.host import CannotListen, Host, PortTaken, listen
from curbside.runtime.installation import provide_tokens
from curbside.runtime.platform import key_ring, open_bus, open_tokens
from curbside.runtime.services import Check, GrpcBinding, Service
from curbside.runtime.supervisor import OPERATOR_STATUS, AlreadyRunning, Child, ChildGaveUp, Supervisor
from curbside.runtime.up import UnknownService, run_serve
from curbside.runtime.web import create_app
from curbside.settings import BadSetting, Profile, RuntimeSettings, child_environment, load
from curbside.testing.servers.process import free_ports

router = APIRouter()
DEIDENTIFICATION = "curbside.contracts.v1.Deidentification"
INFERENCE = "curbside.contracts.v1.Inference"
Status = health_pb2.HealthCheckResponse


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


async def test_a_token_that_comes_many_times_at_once_is_looked_up_once(
    tokens: Tokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = await tokens.issue("x", [Role.AUDITOR], tenant="default", actor="test")
    reads, read = [], tokens._database.read

    def counted() -> Any:
        reads.append(1)
        return read()

    monkeypatch.setattr(tokens._database, "read", counted)
    found = await asyncio.gather(*(tokens.authenticate(good) for _ in range(20)))
    assert ({principal.id for principal in found}, len(reads)) == ({"token:x"}, 1)
    wrong = f"{good}x"
    refused = await asyncio.gather(*(tokens.authenticate(wrong) for _ in range(20)), return_exceptions=True)
    assert ({type(one) for one in refused}, len(reads)) == ({Unauthenticated}, 2)
    with pytest.raises(Unauthenticated):
        await tokens.authenticate(wrong)
    assert len(reads) == 3  # a refusal is not kept: the token may be issued the next moment


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


@pytest.mark.parametrize(
    ("host", "port"), [("192.0.2.1", 0), ("no-such-host.invalid", 0), ("2001:db8::1", 0)], ids=str
)
def test_an_address_that_is_not_this_machines_names_the_host_and_not_the_port(host: str, port: int) -> None:
    # 192.0.2.0/24 and 2001:db8::/32 are for documentation (RFC 5737, RFC 3849): no machine has them.
    with pytest.raises(CannotListen, match="set CURBSIDE_RUNTIME__HOST to an address") as raised:
        listen(host, port, "CURBSIDE_RUNTIME__GRPC_PORT")
    assert f"[{host}]:0" in raised.value.message or f" {host}:0" in raised.value.message
    with pytest.raises(CannotListen, match="CURBSIDE_ENGINE__HOST"):
        listen(host, port, "CURBSIDE_ENGINE__PORT")


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


def test_a_disk_that_fills_ends_neither_the_supervisor_nor_the_other_children(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    children = [
        Child(name, ("serve", "--here", "datasets"), _free_ports(tmp_path)) for name in ("one", "two")
    ]
    supervisor, thread, raised = supervised(children, tmp_path)
    wait_for(lambda: "two" in pids(tmp_path))
    first = pids(tmp_path)
    # Neither a log can be opened nor the state be written: /dev/full answers ENOSPC to every write.
    log, unwritten = tmp_path / "logs" / "one.log", tmp_path / "run" / "processes.part"
    log.unlink()
    log.symlink_to(log)
    unwritten.symlink_to("/dev/full")
    os.kill(first["one"], signal.SIGKILL)
    wait_for(lambda: "one cannot be started" in caplog.text)
    log.unlink()
    wait_for(lambda: "cannot be written" in caplog.text)
    assert pids(tmp_path) == first
    os.kill(first["two"], 0)
    unwritten.unlink()
    supervisor._state_due = 0  # not to wait for the backoff
    wait_for(lambda: pids(tmp_path).get("one", first["one"]) != first["one"])
    assert pids(tmp_path)["two"] == first["two"]
    supervisor.stop()
    thread.join(30)
    assert not raised


def test_a_stale_pid_of_a_killed_supervisor_is_a_strangers_and_is_left_alone(tmp_path: Path) -> None:
    installation = Installation(RuntimeSettings(data_dir=tmp_path), {})
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "supervisor-all.lock").touch()  # the kernel let go of it when its holder was killed
    with subprocess.Popen(["sleep", "100"]) as stranger:
        (tmp_path / "run" / "processes.json").write_text(json.dumps({"supervisor": stranger.pid}))
        assert not installation._alive()
        installation.stop()
        assert stranger.poll() is None
        stranger.kill()


def test_a_running_supervisor_is_found_by_its_lock_and_stopped_by_its_pid(tmp_path: Path) -> None:
    script = (
        "import sys; from datetime import timedelta; from pathlib import Path; "
        "from curbside.runtime.supervisor import Supervisor; from curbside.runtime.up import supervise; "
        "supervise(Supervisor([], Path(sys.argv[1]), timedelta(seconds=5), log_files=True))"
    )
    installation = Installation(RuntimeSettings(data_dir=tmp_path), {})
    assert not installation._alive()
    with subprocess.Popen([sys.executable, "-c", script, str(tmp_path)]) as process:
        wait_for(installation._alive)
        installation.stop()
        assert process.wait(10) == 0
    assert not installation._alive()


def test_what_runs_as_another_user_is_left_to_that_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "processes.json").write_text('{"supervisor": 1}')
    monkeypatch.setattr(os, "kill", refuse)
    with (
        FileLock(tmp_path / "run" / "supervisor-all.lock"),
        pytest.raises(NotOurs, match="another user's curbside"),
    ):
        Installation(RuntimeSettings(data_dir=tmp_path), {}).stop()


def _free_ports(data: Path) -> dict[str, str]:
    http, rpc, engine = free_ports(3)
    return {
        "CURBSIDE_RUNTIME__DATA_DIR": str(data),
        "CURBSIDE_RUNTIME__HTTP_PORT": str(http),
        "CURBSIDE_RUNTIME__GRPC_PORT": str(rpc),
        "CURBSIDE_ENGINE__PORT": str(engine),
    }


def test_a_child_that_needs_the_operator_ends_the_start_with_its_sentence(tmp_path: Path) -> None:
    _, thread, raised = supervised([Child("worker", ("serve", "worker"))], tmp_path)
    thread.join(30)
    assert isinstance(raised[0], ChildGaveUp)
    assert "--socket" in raised[0].message


class Unserved:
    """A gRPC service of which only the name matters."""


def grpc_service(name: str, grpc_name: str, check: Check) -> Service:
    def add(servicer: object, server: grpc.aio.Server) -> None: ...

    method = f"/curbside.contracts.v1.{grpc_name}/Call"
    binding = GrpcBinding(add, Unserved(), {method: Scope.REPORTS_WRITE})
    return Service(name, grpc=[binding], checks={"check": check})


async def test_grpc_health_follows_readiness_by_service_and_ends_with_the_host(
    runtime: RuntimeSettings, tokens: Tokens, switch: Switch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("curbside.runtime.host._HEALTH_INTERVAL", timedelta(milliseconds=10))
    (port,) = free_ports(1)
    settings = runtime.model_copy(update={"grpc_port": port})
    bus = open_bus(settings)
    channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}")
    stub: Any = health_pb2_grpc.HealthStub(channel)

    async def says(name: str) -> Any:
        request = health_pb2.HealthCheckRequest(service=name)
        return (await stub.Check(request, timeout=10, wait_for_ready=True)).status

    async def shield() -> None:
        """The gateway's: it asks the process that it is a part of."""
        if await says(DEIDENTIFICATION) != Status.SERVING:
            raise Unavailable("the shield is down")

    async def becomes(**expected: Any) -> None:
        names = {"whole": "", "deidentification": DEIDENTIFICATION, "inference": INFERENCE}
        async with asyncio.timeout(20):
            while {key: await says(names[key]) for key in expected} != expected:
                await asyncio.sleep(0.01)

    switch.down = True
    services = [
        grpc_service("deidentification", "Deidentification", switch.check),
        grpc_service("inference", "Inference", shield),
    ]
    host = Host(["deidentification", "inference"], settings)
    listener = listen("127.0.0.1", 0, "CURBSIDE_RUNTIME__HTTP_PORT")
    serving = asyncio.create_task(host._serve(services, [], tokens, bus, listener))
    down, up = Status.NOT_SERVING, Status.SERVING
    await becomes(whole=down, deidentification=down, inference=down)
    switch.down = False
    await becomes(whole=up, deidentification=up, inference=up)
    switch.down = True
    await becomes(whole=down, deidentification=down, inference=down)
    switch.down = False
    await becomes(whole=up)
    watching = stub.Watch(health_pb2.HealthCheckRequest())
    assert (await watching.read()).status == up
    os.kill(os.getpid(), signal.SIGTERM)
    assert (await watching.read()).status == down
    await channel.close()  # a stream that stays open is waited for until the grace ends
    await serving
    await bus.close()


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


def curbside(
    *arguments: str, limit: int | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """`curbside` in a process of its own, whose files may not grow beyond `limit` bytes."""
    prelude = "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
    prelude += f"resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit})); " if limit is not None else ""
    return subprocess.run(
        [sys.executable, "-c", f"{prelude}from curbside.runtime.command import main; main()", *arguments],
        env=child_environment(**environment),
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_full_disk_at_the_start_is_one_sentence_for_the_operator(tmp_path: Path) -> None:
    answer = curbside("up", "--data", str(tmp_path / "data"), limit=8192, **_free_ports(tmp_path))
    assert answer.stderr == (
        "curbside: the database of identity cannot grow: its disk is full. Free space on it.\n"
    )
    assert answer.returncode == OPERATOR_STATUS


def test_an_unusable_data_directory_is_one_sentence_for_the_operator(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a directory")
    answer = curbside("up", "--data", str(tmp_path / "file"), **_free_ports(tmp_path))
    assert answer.stderr.startswith("curbside: '")
    assert "is a file" in answer.stderr
    assert "CURBSIDE_RUNTIME__DATA_DIR" in answer.stderr
    assert answer.stderr.count("\n") == 1
    assert answer.returncode == OPERATOR_STATUS


@pytest.mark.parametrize(
    ("number", "status", "says"),
    [
        (errno.ENOSPC, 2, "curbside: the disk is full ('/x/y' could not be written): free space on it."),
        (errno.EACCES, 2, "curbside: '/x/y' cannot be used (Permission denied)"),
        (errno.EROFS, 2, "curbside: '/x/y' cannot be used (Read-only file system)"),
        (errno.ENOENT, 1, "FileNotFoundError"),  # of no known cause: its frames are needed
    ],
)
def test_what_an_operator_can_mend_is_no_traceback(number: int, status: int, says: str) -> None:
    script = (
        "import sys; from curbside.runtime import command; sys.argv = ['curbside', 'fail']\n"
        "@command.app.command('fail')\n"
        f"def fail(): raise OSError({number}, {os.strerror(number)!r}, '/x/y')\n"
        "command.main()"
    )
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert says in answer.stderr
    assert answer.returncode == status


@pytest.mark.parametrize(
    ("message", "mend", "said"),
    [
        ("the disk is full", "Free space on it.", "the disk is full. Free space on it."),
        ("The disk is full.", "Free space on it.", "The disk is full. Free space on it."),
        ("the disk is full: free space", None, "the disk is full: free space"),
    ],
)
def test_a_message_and_its_mend_are_two_sentences(message: str, mend: str | None, said: str) -> None:
    assert CurbsideError(message, mend=mend).sentence == said


@pytest.mark.parametrize("services", [["ingestion", "engine"], ["worker", "driver"]])
def test_a_child_is_served_alone(services: list[str], runtime: RuntimeSettings) -> None:
    with pytest.raises(UnknownService, match="a process of its own"):
        run_serve(services, runtime, here=True, socket=None)


def test_what_the_services_write_is_read_by_no_others(monkeypatch: pytest.MonkeyPatch) -> None:
    for run in ("run_up", "run_serve"):
        monkeypatch.setattr(f"curbside.runtime.up.{run}", lambda *_, **__: None)
    before = os.umask(0)
    try:
        for arguments in (["up"], ["serve", "ingestion"], ["audit", "verify", "--data", "/nowhere"]):
            CliRunner().invoke(app_of_command, arguments)
            assert os.umask(0) == 0o027
    finally:
        os.umask(before)


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
