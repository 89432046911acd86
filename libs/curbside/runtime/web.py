"""The HTTP application of a host: errors as problem+json, bodies bounded, requests measured."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi_offline import FastAPIOffline
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from curbside import __version__
from curbside.contracts.tasks import NOTICE
from curbside.errors import BadInput, CurbsideError, TooLarge
from curbside.identity.tokens import Tokens
from curbside.runtime import health
from curbside.runtime.services import SERVICES, Check, Service
from curbside.settings import RuntimeSettings
from curbside.telemetry.metrics import REQUEST_SECONDS
from curbside.telemetry.tracing import request_span

log = logging.getLogger(__name__)
PROBLEM = "application/problem+json"
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
    )
    app.state.tokens = tokens
    app.add_exception_handler(CurbsideError, _curbside_problem)
    app.add_exception_handler(RequestValidationError, _shape_problem)
    app.add_exception_handler(HTTPException, _http_problem)
    app.include_router(health.routes(services, checks))
    for service in services:
        if service.router is not None:
            app.include_router(service.router, prefix=f"/{service.name}", tags=[service.name])
    app.add_middleware(Observed)
    streams = tuple(f"/{service.name}{path}" for service in services for path in service.streams)
    app.add_middleware(BoundedBody, max_bytes=settings.max_body_bytes, streams=streams)
    for service in services:
        if service.mount is not None:
            app = service.mount(app)
    return app


def problem_response(error: CurbsideError, instance: str | None = None) -> JSONResponse:
    headers = {"www-authenticate": "Bearer"} if error.status == HTTPStatus.UNAUTHORIZED else {}
    if "retry_after" in error.extensions:  # seconds, RFC 9110, 10.2.3
        headers["retry-after"] = str(error.extensions["retry_after"])
    return JSONResponse(error.problem(instance), int(error.status), headers=headers, media_type=PROBLEM)


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

        headers = {key.decode("latin-1"): value.decode("latin-1") for key, value in scope["headers"]}
        with request_span(f"{scope['method']} {scope['path'].split('/')[1]}", headers):
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


class BoundedBody:
    """Refuses a body above the limit before it is read whole, with a 413 problem. Below `streams` are routes
    that bound theirs themselves."""

    def __init__(self, app: ASGIApp, max_bytes: int, streams: tuple[str, ...] = ()) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._streams = streams

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(self._streams):
            await self._app(scope, receive, send)
            return
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > self._max_bytes:
            await problem_response(self._too_large(), scope["path"])(scope, receive, send)
            return
        received = 0
        started = exceeded = False

        async def bounded_receive() -> Message:
            nonlocal received, exceeded
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._max_bytes:
                exceeded = True
                raise self._too_large()
            return message

        async def noted_send(message: Message) -> None:
            nonlocal started
            if exceeded and not started:
                return  # FastAPI turns what a body raises into a plain 400: ours is sent below
            started = True
            await send(message)

        try:
            await self._app(scope, bounded_receive, noted_send)
        except TooLarge:
            if started:
                raise
        if exceeded and not started:
            await problem_response(self._too_large(), scope["path"])(scope, receive, send)

    def _too_large(self) -> TooLarge:
        return TooLarge(
            f"the body is larger than {self._max_bytes} bytes",
            field="body",
            mend="Send fewer reports at a time, or raise CURBSIDE_RUNTIME__MAX_BODY_BYTES.",
        )
