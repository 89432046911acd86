"""Wiring of the workbench: its page at "/", behind a gate, beside the routes of all other services."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final

from fastapi import FastAPI
from starlette.routing import Match, Mount
from starlette.types import Scope

from curbside.errors import MissingExtra
from curbside.runtime.health import LIVE_PATH, METRICS_PATH, READY_PATH
from curbside.runtime.services import SERVICES, Platform, Service
from curbside.settings import Profile, load, set_process_environment
from curbside_workbench import sign_in
from curbside_workbench.http import InferenceApi
from curbside_workbench.sessions import Sessions
from curbside_workbench.settings import WorkbenchSettings
from curbside_workbench.store import METADATA

__all__ = ["METADATA", "build"]

# First segments of paths that are never a page: what is unknown or not allowed there is answered by the API.
_NO_PAGES: Final = frozenset(
    {*SERVICES, *(path.strip("/") for path in (LIVE_PATH, READY_PATH, METRICS_PATH)), "docs", "openapi.json"}
) - {"workbench"}


def build(platform: Platform) -> Service:
    settings = load(WorkbenchSettings)
    url = settings.inference_url or platform.settings.http_url
    api = InferenceApi(url, timeout=settings.answer_timeout)
    _import_page()  # seconds of imports: here, before the loop runs
    return Service(
        name="workbench",
        checks={"inference": api.check},
        mount=partial(
            mount_page,
            api=api,
            sessions=Sessions(platform.ring, settings.session_lifetime),
            settings=settings,
            # In development there is no TLS: `curbside up` serves a loopback address.
            secure_cookie=platform.settings.profile is Profile.PRODUCTION,
        ),
        stop=[api.close],
    )


class Pages(Mount):
    """A mount of everything but the API's own paths."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if scope["type"] == "http" and scope["path"].split("/")[1] in _NO_PAGES:
            return Match.NONE, {}
        return super().matches(scope)


def mount_page(
    app: FastAPI,
    *,
    api: InferenceApi,
    sessions: Sessions,
    settings: WorkbenchSettings,
    secure_cookie: bool,
) -> FastAPI:
    """`app` with the page at "/", after all its own routes."""
    gradio, page = _import_page()
    pages = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    pages.include_router(sign_in.routes(api, sessions, secure=secure_cookie))
    gradio.mount_gradio_app(
        pages,
        page.build_page(api, sessions, settings),
        path="/",
        footer_links=[],
        # The history would keep patient text in the browser after the session.
        run_history=False,
        show_error=False,
        max_file_size="1kb",
        ssr_mode=False,
        pwa=False,
        mcp_server=False,
        enable_monitoring=False,
        theme=page.theme(),
        css=page.CSS,
        js=page.LIGHT,
    )
    own = app.router.lifespan_context

    @asynccontextmanager
    async def both(served: Any) -> AsyncIterator[Any]:
        async with own(served) as state, pages.router.lifespan_context(pages):
            yield state

    app.router.lifespan_context = both
    app.router.routes.append(Pages("", sign_in.Gate(pages, sessions), name="workbench"))
    return app


def _import_page() -> tuple[Any, Any]:
    """gradio and our page, its telemetry off before it is imported. Raises MissingExtra."""
    set_process_environment(GRADIO_ANALYTICS_ENABLED="False", HF_HUB_DISABLE_TELEMETRY="1")
    try:
        import gradio
    except ImportError as error:
        raise MissingExtra(error.name or "gradio", "workbench") from None
    from curbside_workbench import page

    return gradio, page
