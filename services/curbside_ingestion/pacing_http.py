"""The pace of clients over HTTP: who is too fast is told before the body is read, and all what is left."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from curbside.errors import Unauthenticated
from curbside.identity.http import bearer_token
from curbside.identity.principal import Principal
from curbside.identity.tokens import Tokens
from curbside.runtime.problems import problem_response
from curbside_ingestion.pacing import Pace, Standing, TooFast


class Paced:
    """Stands before the routes under `prefix`. Without a token that is valid there is no client to count: the
    route refuses it before it reads a body."""

    def __init__(self, app: ASGIApp, pace: Pace, prefix: str) -> None:
        self._app = app
        self._pace = pace
        self._prefix = prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        principal = None
        if scope["type"] == "http" and scope["path"].startswith(self._prefix):
            principal = await _principal(scope)
        if principal is None:
            await self._app(scope, receive, send)
            return
        declared = dict(scope["headers"]).get(b"content-length")
        size = int(declared) if declared is not None and declared.isdigit() else None
        try:
            standings = self._pace.request(principal, size or 0)
        except TooFast as problem:
            refusal = problem_response(problem, scope["path"])
            await refusal(scope, receive, _telling(send, [problem.standing]))
            return
        counted = receive if size is not None else self._counting(receive, principal)
        await self._app(scope, counted, _telling(send, standings))

    def _counting(self, receive: Receive, principal: Principal) -> Receive:
        async def counted() -> Message:
            message = await receive()
            if body := message.get("body"):
                self._pace.part(principal, len(body))
            return message

        return counted


async def _principal(scope: Scope) -> Principal | None:
    headers = dict(scope["headers"])
    tokens: Tokens = scope["app"].state.tokens
    try:
        return await tokens.authenticate(bearer_token(headers.get(b"authorization", b"").decode("latin-1")))
    except Unauthenticated:
        return None


def _telling(send: Send, standings: Sequence[Standing]) -> Send:
    """`send`, with the fields of draft-ietf-httpapi-ratelimit-headers-10 in the answer."""
    said = [
        (b"ratelimit-policy", ", ".join(standing.policy for standing in standings).encode()),
        (b"ratelimit", ", ".join(standing.limit for standing in standings).encode()),
    ]

    async def telling(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], *said]}
        await send(message)

    return telling
