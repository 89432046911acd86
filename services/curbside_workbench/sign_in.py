"""Signing in with an access token, and the gate before every page of the workbench."""

from __future__ import annotations

import re
from html import escape
from string import Template
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from curbside.contracts.tasks import NOTICE
from curbside.errors import CurbsideError, NotFound
from curbside.runtime.problems import problem_response
from curbside_workbench.domain.rendering import sentence_of
from curbside_workbench.http import InferenceApi, Refused
from curbside_workbench.sessions import COOKIE, Sessions

SIGN_IN: Final = "/sign-in"
SIGN_OUT: Final = "/sign-out"
# What a token may look like, so that a header can carry it; whether it is good, inference says.
_TOKEN: Final = re.compile(r"[!-~]{1,256}")
_NO_SUCH_PATH: Final = "nothing of the API is at this path"
_REFUSED: Final = "That token is not valid here, or may not ask for opinions."
# Methods that change nothing, which another site's page may lead a browser to.
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
# The page asks nothing of any other host; the browser holds it to that. Gradio needs inline script and eval.
_HEADERS: Final = {
    "content-security-policy": "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; "
    "worker-src 'self' blob:; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'",
    # Not "no-referrer": with it a browser sends the origin "null" with our own forms.
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
}
_PAGE: Final = Template("""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sign in · Curbside</title><style>
body { margin: 0; background: #f4f6f8; color: #16202a; font: 16px/1.5 system-ui, "Segoe UI", sans-serif; }
main { max-width: 26rem; margin: 12vh auto 0; padding: 2rem; background: #fff; border: 1px solid #cfd6dd;
  border-radius: 8px; }
h1 { margin: 0 0 .25rem; font-size: 1.5rem; } p { margin: 0 0 1.25rem; color: #44525f; }
label { display: block; font-weight: 600; margin-bottom: .35rem; }
input { width: 100%; box-sizing: border-box; padding: .6rem .7rem; font: inherit; border: 1px solid #71808e;
  border-radius: 6px; }
button { margin-top: 1rem; width: 100%; padding: .65rem; font: inherit; font-weight: 600; color: #fff;
  background: #0b5394; border: 0; border-radius: 6px; cursor: pointer; }
input:focus-visible, button:focus-visible { outline: 3px solid #7db4e6; outline-offset: 1px; }
.problem { padding: .6rem .8rem; color: #7a1212; background: #fdecec; border-left: 4px solid #b3261e; }
small { display: block; margin-top: 1.25rem; color: #44525f; }
</style></head><body><main><h1>Curbside</h1><p>A second opinion on a report.</p>$problem
<form method="post" action="/sign-in"><label for="token">Access token</label>
<input id="token" name="token" type="password" autocomplete="current-password" required autofocus
  maxlength="256" spellcheck="false"><button type="submit">Sign in</button></form>
<small>Your administrator makes one with <code>curbside token create</code>.
$notice</small>
</main></body></html>
""")


def routes(api: InferenceApi, sessions: Sessions, *, secure: bool) -> APIRouter:
    """`secure`: the cookie travels over TLS alone, also where an ingress before us ended it."""
    router = APIRouter()

    @router.get(SIGN_IN)
    async def show(request: Request) -> Response:
        return _page()

    @router.post(SIGN_IN)
    async def sign_in(request: Request) -> Response:
        """Whether a token is good, inference says: the workbench knows no tokens."""
        # Read by hand: FastAPI's answer to a form of the wrong shape would repeat the token.
        given = (await request.form()).get("token")
        token = given.strip() if isinstance(given, str) else ""
        if not _TOKEN.fullmatch(token):
            return _page(_REFUSED, 401)
        try:
            await api.model(token)
        except Refused as refused:
            if refused.http_status in (401, 403):
                return _page(_REFUSED, 401)
            return _page(sentence_of(refused.message, refused.mend), 503)
        except CurbsideError as error:
            return _page(sentence_of(error.message, error.mend), 503)
        response = RedirectResponse("/", 303)
        response.set_cookie(
            COOKIE,
            sessions.seal(token),
            max_age=int(sessions.lifetime.total_seconds()),
            secure=secure or request.url.scheme == "https",
            httponly=True,
            samesite="lax",  # a link from the record system may open the page; no other site may post
        )
        return response

    @router.post(SIGN_OUT)
    async def sign_out() -> Response:
        response = RedirectResponse(SIGN_IN, 303)
        response.delete_cookie(COOKIE)
        return response

    return router


class NoSuchPath(NotFound):
    code = "http.not-found"


class Gate:
    """Lets the signed-in through; others are led to sign in, or get a 401 where no person would see it.

    What another site's page posts is refused, to sign in too: it could sign a person in with its own token
    and read what is asked under it.
    """

    def __init__(self, app: ASGIApp, sessions: Sessions) -> None:
        self._app = app
        self._sessions = sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def guarded_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
            await send(message)

        request = Request(scope)
        signed_in = self._sessions.token(request.cookies.get(COOKIE)) is not None
        answer: ASGIApp = self._app
        if scope["method"] not in _SAFE and _of_another_site(request):
            answer = Response("This came from another site's page: open Curbside itself.", 403)
        elif not signed_in and scope["path"] != SIGN_IN:
            if scope["method"] == "GET" and scope["path"] == "/":
                answer = RedirectResponse(SIGN_IN, 303)
            elif "authorization" in request.headers:  # a client of the API: no page takes a bearer token
                answer = problem_response(NoSuchPath(_NO_SUCH_PATH, mend="See /docs for the API's paths."))
            else:
                answer = Response("Sign in again.", 401, media_type="text/plain")
        await answer(scope, receive, guarded_send)


def _of_another_site(request: Request) -> bool:
    """As the browser says: no page can forge Sec-Fetch-Site or Origin. What is no browser sends neither."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site not in ("same-origin", "none")
    # An old browser, or an address without TLS, where browsers leave the other out.
    origin = request.headers.get("origin")
    return origin is not None and origin.partition("://")[2] != request.headers.get("host")


def _page(problem: str | None = None, status: int = 200) -> HTMLResponse:
    shown = f'<p class="problem" role="alert">{escape(problem)}</p>' if problem else ""
    return HTMLResponse(_PAGE.substitute(problem=shown, notice=escape(NOTICE)), status)
