"""Every route and every gRPC method declares its rights, or is on a short public list."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, iter_route_contexts

from curbside.contracts.v1 import deidentification_pb2, inference_pb2, training_pb2
from curbside.identity.http import Requires
from curbside.identity.principal import ROLES, Role, Scope
from curbside.runtime.services import SERVICES, Service
from curbside.settings import RuntimeSettings
from curbside.testing.platform import open_test_platform

PUBLIC = {
    "/livez",
    "/readyz",
    "/metrics",
    "/openapi.json",
    "/docs",
    "/docs/oauth2-redirect",
    "/static-offline-docs",
}


# Of the workbench, which asks for a session: the scope of its token is inference's to ask for. Style, scripts
# and pictures need a session, too.
PUBLIC_PAGES = {"/sign-in"}


def scopes(dependant: Dependant) -> Iterator[Scope]:
    for dependency in dependant.dependencies:
        if isinstance(dependency.call, Requires):
            yield dependency.call.scope
        yield from scopes(dependency)


async def wired(name: str, directory: Path) -> tuple[Service, Any]:
    async with open_test_platform(name, directory, settings=RuntimeSettings(data_dir=directory)) as opened:
        return opened.service, opened.app


@pytest.mark.parametrize("name", [name for name in SERVICES if name != "workbench"])
async def test_every_route_declares_a_scope_or_is_public(name: str, tmp_path: Path) -> None:
    service, app = await wired(name, tmp_path)
    assert service.router is not None
    found = {context.path: context for context in iter_route_contexts(app.routes)}
    undeclared = [
        path
        for path, context in found.items()
        if path not in PUBLIC
        and not (isinstance(context.route, APIRoute) and list(scopes(context.dependant)))
    ]
    assert not undeclared
    assert any(path.startswith(f"/{name}/") for path in found)


def endpoints(app: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Method and path of every route, those of mounted applications too, with "x" for each parameter."""
    app = getattr(app, "_app", app)  # what is behind the gate
    if not hasattr(app, "routes"):
        yield "GET", prefix  # a directory of files
        return
    for context in iter_route_contexts(app.routes):
        path = prefix + re.sub(r"\{[^}]+\}", "x", context.path or "")
        methods = getattr(context.route, "methods", None)
        if methods is None:
            assert hasattr(context.route, "app"), f"{context.route!r} is neither a route of HTTP nor a mount"
            yield from endpoints(context.route.app, path)
            continue
        for method in methods:
            yield method, path


async def test_no_page_and_no_asset_of_the_workbench_answers_a_stranger(tmp_path: Path) -> None:
    async with open_test_platform(
        "workbench", tmp_path, settings=RuntimeSettings(data_dir=tmp_path)
    ) as opened:
        found = set(endpoints(opened.app))
        assert {("POST", "/sign-out"), ("GET", "/"), ("GET", "/config")} < found
        assert len(found) > 50  # gradio's are among them
        transport = httpx2.ASGITransport(app=opened.app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://test") as http:
            answers = {
                (method, path): await http.request(method, path)
                for method, path in sorted(found)
                if path not in PUBLIC | PUBLIC_PAGES
            }
    assert answers.pop(("GET", "/")).headers["location"] == "/sign-in"
    assert {asked: answer.status_code for asked, answer in answers.items() if answer.status_code != 401} == {}


@pytest.mark.parametrize(
    ("name", "messages"),
    [("deidentification", deidentification_pb2), ("inference", inference_pb2), ("training", training_pb2)],
)
async def test_every_grpc_method_maps_to_a_scope(name: str, messages: Any, tmp_path: Path) -> None:
    service, _ = await wired(name, tmp_path)
    declared = {method: scope for binding in service.grpc for method, scope in binding.scopes.items()}
    expected = {
        f"/{rpc.full_name}/{method.name}"
        for rpc in messages.DESCRIPTOR.services_by_name.values()
        for method in rpc.methods
    }
    assert set(declared) == expected


def test_no_role_but_the_administrator_holds_every_scope() -> None:
    assert [role for role in Role if ROLES[role] == frozenset(Scope)] == [Role.ADMINISTRATOR]


def test_whoever_trains_cannot_approve() -> None:
    assert Scope.MODELS_PROMOTE not in ROLES[Role.TRAINER]
    assert Scope.RUNS_WRITE not in ROLES[Role.APPROVER]


def test_an_operator_sees_no_report() -> None:
    assert not ROLES[Role.OPERATOR] & {Scope.REPORTS_READ, Scope.QUARANTINE_REVIEW, Scope.DATASETS_READ}
