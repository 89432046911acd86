"""The Idempotency-Key header, for every POST of a router: `APIRouter(route_class=keyed_routes(once))`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from http import HTTPStatus
from typing import Any, Final

from fastapi import Request, Response
from fastapi.routing import APIRoute

from curbside.errors import CurbsideError
from curbside.identity.http import Requires
from curbside.identity.principal import Scope
from curbside.runtime.problems import problem_response
from curbside_ingestion.bodies import whole_body
from curbside_ingestion.domain.idempotency import HEADER, PATTERN, KeyInHand, KeyReused, read_key
from curbside_ingestion.idempotency.once import Answer, Asked, Once

REPLAYED: Final = "Idempotency-Replayed"
# For /docs, beside a route's body.
KEY_PARAMETER: Final[dict[str, Any]] = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "description": "A name of this request, of its sender's choosing, e.g. a UUID. Sent again with the same "
    f"request, for a day, it gets the first answer again, with `{REPLAYED}: true`; with another request 422; "
    "while the first has no answer yet 409.",
    "schema": {"type": "string", "maxLength": 257, "pattern": PATTERN},
    "example": '"8e03978e-40d5-43dd-bc93-6894a57f9324"',
}
_REQUIRES: Final = Requires(Scope.REPORTS_WRITE)
_KEPT_HEADERS: Final = ("content-type", "location", "retry-after")
# What may pass by itself, or is said of who asks rather than of what.
_PASSING: Final = frozenset(
    {
        HTTPStatus.UNAUTHORIZED,
        HTTPStatus.FORBIDDEN,
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.TOO_EARLY,
        HTTPStatus.TOO_MANY_REQUESTS,
    }
)

Handle = Callable[[Request], Coroutine[Any, Any, Response]]
Refused = Callable[[CurbsideError, Request], Response]


def problem(error: CurbsideError, request: Request) -> Response:
    return problem_response(error, request.url.path)


def keyed_routes(once: Once, refused: Refused = problem) -> type[APIRoute]:
    """The class of routes whose POSTs are done once for each key. One without a key goes by as it came.

    `refused` is how this router says that a key cannot be used.
    """

    class KeyedRoute(APIRoute):
        def get_route_handler(self) -> Handle:
            handle = super().get_route_handler()
            if "POST" not in (self.methods or ()):
                return handle

            async def handle_once(request: Request) -> Response:
                if HEADER not in request.headers:
                    return await handle(request)
                asked = await _asked(request, refused)
                if isinstance(asked, Response):
                    return asked
                return await _answer(asked, once, lambda: _act(handle, request), request, refused)

            return handle_once

    return KeyedRoute


async def _asked(request: Request, refused: Refused) -> Asked | Response:
    principal = await _REQUIRES(request)
    try:
        key = read_key(request.headers.getlist(HEADER))
        # Kept by the request, where the route reads it again. One that was cut off or changed on its way is
        # not what was asked.
        body = await whole_body(request)
    except CurbsideError as error:
        return refused(error, request)
    return Asked(
        key,
        principal,
        request.method,
        request.url.path,
        request.url.query,
        request.headers.get("content-type", ""),
        body,
    )


async def _answer(
    asked: Asked, once: Once, act: Callable[[], Awaitable[Answer]], request: Request, refused: Refused
) -> Response:
    try:
        answer, replayed = await once(asked, act)
    except (KeyReused, KeyInHand) as error:
        return refused(error, request)
    response = Response(answer.body, answer.status, answer.headers)
    if replayed:
        response.headers[REPLAYED] = "true"
    return response


async def _act(handle: Handle, request: Request) -> Answer:
    """What the route answers. A problem that may pass is raised, and so not kept."""
    try:
        response = await handle(request)
    except CurbsideError as error:
        if not _is_final(error.status):
            raise
        response = problem(error, request)
    headers = {name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers}
    return Answer(response.status_code, headers, bytes(response.body), _is_final(response.status_code))


def _is_final(status: int) -> bool:
    return status < HTTPStatus.INTERNAL_SERVER_ERROR and status not in _PASSING
