"""The HTTP application of a host: errors as problem+json, bodies bounded, requests measured."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.telemetry import TelemetryConfig
from fastapi_offline import FastAPIOffline
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from curbside import __version__
from curbside.contracts.tasks import NOTICE
from curbside.errors import BadInput, CurbsideError
from curbside.identity.tokens import Tokens
from curbside.runtime import health
from curbside.runtime.bodies import BoundedBodies
from curbside.runtime.openapi import COMMON, describe_problems, refusals
from curbside.runtime.problems import PROBLEM, problem_response
from curbside.runtime.services import SERVICES, Check, Service
from curbside.settings import RuntimeSettings
from curbside.telemetry.metrics import REQUEST_SECONDS
from curbside.telemetry.tracing import request_span

log = logging.getLogger(__name__)
# FastAPI's own keeps bodies beside spans and quotes in logs what was refused; `Observed` does neither.
_NO_TELEMETRY: Final[TelemetryConfig] = {
    "tracing": False,
    "metrics": False,
    "logs": False,
    "operation_spans": False,
    "auto_configure": False,
}
_SEND_JSON = "Send JSON in UTF-8, whole."


class BadRequestShape(BadInput):
    code = "input.shape"
    title = "The request does not have the shape that the API asks for"


def create_app(
    services: Sequence[Service], *, tokens: Tokens, settings: RuntimeSettings, checks: Mapping[str, Check]
) -> FastAPI:
    """One application with every service's routes under `/<service>`, health and metrics at the root."""
    app: FastAPI = FastAPIOffline(
        title="Curbside",
        version=__version__,
        description=f"A private second opinion for hospitals. {NOTICE}",
        docs_url="/docs",
        redoc_url=None,
        telemetry=_NO_TELEMETRY,
    )
    app.state.tokens = tokens
    app.add_exception_handler(CurbsideError, _curbside_problem)
    app.add_exception_handler(RequestValidationError, _shape_problem)
    app.add_exception_handler(HTTPException, _http_problem)
    app.include_router(health.routes(services, checks))
    for service in services:
        if service.router is not None:
            app.include_router(
                service.router, prefix=f"/{service.name}", tags=[service.name], responses=refusals(*COMMON)
            )
    describe_problems(app)
    for service in services:
        if service.gate is not None:
            app.add_middleware(service.gate)
    app.add_middleware(Observed)
    app.add_middleware(
        BoundedBodies,
        max_bytes=settings.max_body_bytes,
        max_total_bytes=settings.max_bodies_bytes,
        patience=settings.body_patience,
        streams=tuple(f"/{service.name}{path}" for service in services for path in service.streams),
    )
    for service in services:
        if service.mount is not None:
            app = service.mount(app)
    return app


async def _curbside_problem(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, CurbsideError)
    if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        log.error(
            "request failed", extra={"code": error.code, "route": _route(request.scope)}, exc_info=error
        )
    return problem_response(error, request.url.path)


async def _shape_problem(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    # pydantic's errors quote the input, which may be a report: only place and rule are passed on.
    broken = next((fault for fault in error.errors() if fault["type"] == "json_invalid"), None)
    if broken is not None:
        problem = BadRequestShape(
            f"the body is not valid JSON at character {broken['loc'][-1]}", field="body", mend=_SEND_JSON
        )
        return problem_response(problem, request.url.path)
    faults = [
        {
            "field": ".".join(str(part) for part in fault["loc"][1:]) or str(fault["loc"][0]),
            "rule": fault["msg"],
        }
        for fault in error.errors()
    ]
    first = faults[0]
    problem = BadRequestShape(
        f"{first['field']}: {first['rule']}",
        field=first["field"],
        mend="Send the shape that /docs shows for this route.",
        faults=faults,
    )
    return problem_response(problem, request.url.path)


async def _http_problem(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    status = HTTPStatus(error.status_code)
    if isinstance(error.__cause__, CurbsideError):  # what reading the body raised, in FastAPI's own
        return problem_response(error.__cause__, request.url.path)
    if status is HTTPStatus.BAD_REQUEST and request.method in ("POST", "PUT", "PATCH"):
        # FastAPI's own, where the body is no text at all.
        problem = BadRequestShape("the body cannot be read", field="body", mend=_SEND_JSON)
        return problem_response(problem, request.url.path)
    body = {
        "type": "about:blank",
        "title": status.phrase,
        "status": int(status),
        "code": f"http.{status.phrase.casefold().replace(' ', '-')}",
        "detail": str(error.detail),
        "instance": request.url.path,
    }
    return JSONResponse(body, int(status), headers=dict(error.headers or {}), media_type=PROBLEM)


def _service(scope: Scope) -> str:
    first = scope["path"].split("/")[1]
    return first if first in SERVICES else "platform"


def _route(scope: Scope) -> str:
    """The route's template: a path may hold an id, which makes no good label."""
    path = str(getattr(scope.get("route"), "path", "unmatched"))
    # FastAPI gives the path within the included router, without the service's prefix.
    prefix = f"/{_service(scope)}"
    return path if path.startswith(prefix) or prefix == "/platform" else prefix + path


def _trace(scope: Scope) -> dict[str, str]:
    """The headers of W3C Trace Context and Baggage."""
    return {
        key.decode("latin-1"): value.decode("latin-1")
        for key, value in scope["headers"]
        if key in (b"traceparent", b"tracestate", b"baggage")
    }


class Observed:
    """Spans, metrics, and a plain 500 problem for what nobody foresaw."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.perf_counter(), 0

        async def observed_send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        with request_span(f"{scope['method']} {scope['path'].split('/')[1]}", _trace(scope)):
            try:
                await self._app(scope, receive, observed_send)
            except Exception as error:
                log.error("request failed", extra={"route": _route(scope)}, exc_info=error)
                if status:
                    raise
                problem: Any = problem_response(CurbsideError("the request failed; it is in our log"))
                await problem(scope, receive, observed_send)
            finally:
                REQUEST_SECONDS.labels(
                    service=_service(scope),
                    method=scope["method"],
                    route=_route(scope),
                    status=str(status),
                ).observe(time.perf_counter() - started)
