"""What /openapi.json says of intake is true: it is well made, and its examples are answered as it says."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import schemathesis
import uvicorn
from fastapi.routing import APIRoute, iter_route_contexts

from curbside.identity.http import Requires
from curbside.identity.principal import Role
from curbside.runtime.openapi import COMMON
from curbside.runtime.problems import PROBLEM
from curbside.testing.fuzzing.running import Fuzzing
from curbside.testing.platform import TestPlatform, open_test_platform

PREFIX = "/ingestion"
SHARED = Path(__file__).resolve().parents[3] / "shared"  # where it is absent, our own documents are sent
# What no two answers have alike: ids of reports and of ACKs, and times.
_ITS_OWN = re.compile(r"\b[0-9a-f]{32}\b|\b[0-9a-f]{20}\b|\d{14}[+-]\d{4}")
Operation = tuple[str, str, dict[str, Any]]


@pytest.fixture
async def opened(tmp_path: Path, halves: str) -> AsyncIterator[TestPlatform]:
    async with open_test_platform("ingestion", tmp_path / "data") as platform:
        yield platform


@pytest.fixture
async def http(opened: TestPlatform) -> AsyncIterator[httpx2.AsyncClient]:
    headers = await opened.headers(Role.STEWARD)
    transport = httpx2.ASGITransport(app=opened.app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://test", headers=headers) as client:
        yield client


def operations(document: dict[str, Any]) -> Iterator[Operation]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


def described(opened: TestPlatform) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(json.dumps(opened.app.openapi()))
    return document


def demanded(dependant: Any) -> list[str]:
    """The scopes that a route asks for, whatever its document says."""
    required = [one.call for one in dependant.dependencies if isinstance(one.call, Requires)]
    return [one.scope.value for one in required]


def alike(answered: Any) -> Any:
    """`answered` without what is its own, and without members that are null: no example has them."""

    def without_nulls(members: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in members.items() if value is not None}

    return json.loads(_ITS_OWN.sub("#", json.dumps(answered)), object_hook=without_nulls)


async def test_the_document_is_valid_openapi(http: httpx2.AsyncClient) -> None:
    document = (await http.get("/openapi.json")).json()
    schemathesis.openapi.from_dict(document).validate()
    assert document["openapi"].startswith("3.1")


async def test_every_route_of_intake_says_what_it_needs_and_how_it_may_refuse(opened: TestPlatform) -> None:
    document = described(opened)
    documented = {(method.upper(), path) for method, path, _ in operations(document)}
    routes = {
        (method, context.path): demanded(context.dependant)
        for context in iter_route_contexts(opened.app.routes)
        if isinstance(context.route, APIRoute) and (context.path or "").startswith(PREFIX)
        for method in context.route.methods
    }
    assert routes
    assert routes.keys() <= documented
    for method, path, operation in operations(document):
        if not path.startswith(PREFIX):
            continue
        where = f"{method} {path}"
        assert operation["security"] == [{"token": routes[method.upper(), path]}], where
        assert len(routes[method.upper(), path]) == 1, where
        assert operation["description"], where
        statuses = {int(status) for status in operation["responses"]}
        assert {int(status) for status in COMMON} <= statuses, where
        assert any(status < 300 for status in statuses), where
        for status, response in operation["responses"].items():
            assert response["description"], where
            if int(status) >= 400:
                schema = response["content"][PROBLEM]["schema"]
                assert schema == {"$ref": "#/components/schemas/Problem"}, where


async def test_every_example_is_answered_as_it_says(opened: TestPlatform, http: httpx2.AsyncClient) -> None:
    document = described(opened)
    sent = 0
    for method, path, operation in operations(document):
        for media, body in operation.get("requestBody", {}).get("content", {}).items():
            for name, example in body.get("examples", {}).items():
                where = f"{method} {path} {media} {name}"
                answer = await send(http, method, path, media, example["value"], operation)
                found = answers(operation, name)
                assert found is not None, f"{where}: no answer bears its name"
                status, kind, expected = found
                assert (str(answer.status_code), answer.headers["content-type"].partition(";")[0]) == (
                    status,
                    kind,
                ), f"{where}: {answer.text}"
                got = answer.json() if kind.endswith("json") else answer.text
                assert alike(got) == alike(expected), where
                sent += 1
    assert sent > 15


def answers(operation: dict[str, Any], name: str) -> tuple[str, str, Any] | None:
    """Status, media type and value of the response's example of `name`."""
    for status, response in operation["responses"].items():
        for media, content in response.get("content", {}).items():
            if name in content.get("examples", {}):
                return status, media, content["examples"][name]["value"]
    return None


async def send(
    http: httpx2.AsyncClient, method: str, path: str, media: str, value: Any, operation: dict[str, Any]
) -> httpx2.Response:
    """The example as it stands: an object as JSON, or as a form where it is one."""
    for parameter in operation.get("parameters", []):
        if parameter["in"] == "path":
            path = path.replace(f"{{{parameter['name']}}}", parameter["schema"]["examples"][0])
    if media == "multipart/form-data":
        fields = {name: content for name, content in value.items() if name != "file"}
        return await http.request(method, path, data=fields, files={"file": ("report.txt", value["file"])})
    content = value if isinstance(value, str) else json.dumps(value)
    return await http.request(method, path, content=content.encode(), headers={"content-type": media})


@pytest.fixture
async def url(opened: TestPlatform) -> AsyncIterator[str]:
    """The platform's app behind the HTTP server that a host starts."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(opened.app, log_config=None, lifespan="on", server_header=False))
    server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign,assignment]
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    await serving


async def test_what_nobody_would_send_is_refused_as_documented(opened: TestPlatform, url: str) -> None:
    """A small part of benchmarks/api_fuzz.py, on both halves."""
    fuzzing = Fuzzing(url, await opened.token(Role.STEWARD), SHARED)
    outcome = await asyncio.to_thread(fuzzing.run, 300)
    assert outcome.cases >= 300
    assert not outcome.complaints, json.dumps(outcome.shown, indent=1)


@pytest.mark.parametrize("odd", ["%00", "a%00b", "%FF%FE", "%ED%A0%80", "f" * 5_000, "%F0%9F%92%A9", "'"])
async def test_an_id_that_no_report_can_have_is_refused_on_either_half(
    http: httpx2.AsyncClient, odd: str
) -> None:
    answer = await http.get(f"/ingestion/v1/reports/{odd}")
    assert answer.json()["code"] in ("report.unknown", "input.nul")  # PostgreSQL takes no NUL
    assert (await http.get(f"/ingestion/v1/reports?after={odd}")).status_code in (200, 422)
