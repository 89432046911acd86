"""The page over its own wire: signing in, asking, being refused, and what it never does."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from inference_gateway import REPORT, WAIT, Gateway, open_gateway, serving
from inference_peers import NAME
from sqlalchemy import create_engine

from curbside.contracts.tasks import DEMONSTRATION_NOTICE, NOTICE
from curbside.identity.principal import Role
from curbside.settings import Profile, RuntimeSettings
from curbside.storage.keys import KeyRing
from curbside.storage.sqlite import sync_url
from curbside.telemetry.logs import JsonFormatter
from curbside.testing.platform import TestPlatform, open_test_platform
from curbside_workbench.domain import rendering
from curbside_workbench.sessions import COOKIE, Sessions
from curbside_workbench.store import METADATA

# The workbench keeps nothing of its own: what touches a token, an answer or its schema runs on both halves.
on_both = pytest.mark.usefixtures("halves")


@dataclass
class Browser:
    """What a browser does on the page: it joins Gradio's queue and follows its events."""

    http: httpx2.AsyncClient
    opened: TestPlatform
    gateway: Gateway
    stop: list[bool] = field(default_factory=list)  # whether Stop could be pressed, beside each state

    async def sign_in(self, *roles: Role) -> httpx2.Response:
        token = await self.gateway.opened.token(*roles or (Role.CLINICIAN,))
        return await self.http.post("/sign-in", data={"token": token})

    async def config(self) -> dict[str, Any]:
        return dict((await self.http.get("/config")).json())

    async def ask(
        self, task: str = "summarize", report: str = REPORT, prior: str = ""
    ) -> AsyncGenerator[Any]:
        """Each state of the two panels while an answer comes."""
        asking = next(f for f in (await self.config())["dependencies"] if len(f["inputs"]) == 3)
        # As a browser writes JSON, which can spell a lone surrogate.
        body = {"data": [task, report, prior], "fn_index": asking["id"], "session_hash": "s1"}
        joined = await self.http.post(
            "/gradio_api/queue/join",
            content=json.dumps(body),
            headers={"content-type": "application/json"},
        )
        assert joined.status_code == 200, joined.text
        shown: list[Any] = ["", "", {}]
        async with self.http.stream("GET", "/gradio_api/queue/data", params={"session_hash": "s1"}) as reply:
            async for line in lines_of(reply):
                message = json.loads(line[5:]) if line.startswith("data:") else {}
                if message.get("msg") in ("process_generating", "process_completed"):
                    data = message["output"].get("data", [])
                    shown = [applied(old, new) for old, new in zip(shown, data, strict=False)] or shown
                    self.stop.append(shown[2].get("interactive", False))
                    yield tuple(shown[:2])
                if message.get("msg") == "close_stream":
                    return

    async def answer(self, *asked: str) -> tuple[str, str]:
        """The two panels when all is said."""
        return [panels async for panels in self.ask(*asked)][-1]


async def lines_of(reply: httpx2.Response) -> AsyncGenerator[str]:
    """As a browser splits events: at a newline alone, where `aiter_lines` knows U+2028 and others."""
    rest = ""
    async for text in reply.aiter_text():
        *lines, rest = (rest + text).split("\n")
        for line in lines:
            yield line


def applied(old: Any, new: Any) -> Any:
    """A value after an event: Gradio sends a whole one, or how it differs from the one before."""
    if not isinstance(new, list):
        return new
    for action, path, value in new:
        if path:  # a button's state; a panel is one string
            value, action = {**old, path[0]: value}, "replace"
        old = old + value if action == "append" else value
    return old


@pytest.fixture
async def browser(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Browser]:
    async with AsyncExitStack() as stack:
        gateway = await stack.enter_async_context(open_gateway(tmp_path / "inference", monkeypatch))
        monkeypatch.setenv("CURBSIDE_WORKBENCH__INFERENCE_URL", str(gateway.http.base_url))
        opened = await stack.enter_async_context(open_test_platform("workbench", tmp_path / "workbench"))
        url = await stack.enter_async_context(serving(opened.app))
        http = await stack.enter_async_context(
            httpx2.AsyncClient(base_url=url, trust_env=False, timeout=WAIT)
        )
        yield Browser(http, opened, gateway)


@on_both
async def test_the_page_asks_for_a_token_and_inference_says_whether_it_is_good(browser: Browser) -> None:
    away = await browser.http.get("/")
    assert (away.status_code, away.headers["location"]) == (303, "/sign-in")
    assert NOTICE in (await browser.http.get("/sign-in")).text
    wrong = await browser.http.post("/sign-in", data={"token": "cbs_0_<b>"})
    assert (wrong.status_code, COOKIE in wrong.cookies) == (401, False)
    assert "not valid" in wrong.text
    assert (await browser.sign_in(Role.TRAINER)).status_code == 401
    welcome = await browser.sign_in()
    assert (welcome.status_code, welcome.headers["location"]) == (303, "/")
    cookie = welcome.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "cbs_" not in cookie
    assert (await browser.http.get("/")).status_code == 200
    assert (await browser.http.post("/sign-out")).headers["location"] == "/sign-in"
    assert (await browser.http.get("/")).status_code == 303


@pytest.mark.parametrize(
    "token",
    ["tök€n", "x" * 300, "a\nb", "\x00", " ", ""],
    ids=["wide", "long", "line", "nul", "space", "none"],
)
async def test_what_can_be_no_token_is_answered_with_the_page(browser: Browser, token: str) -> None:
    for form in ({"data": {"token": token}}, {"files": {"token": ("name", token.encode())}}):
        wrong = await browser.http.post("/sign-in", **form)
        assert (wrong.status_code, COOKIE in wrong.cookies) == (401, False)
        assert "That token is not valid here" in wrong.text
        assert len(token) < 3 or token not in wrong.text


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site", "origin": "https://evil.example"},
        {"sec-fetch-site": "same-site"},
        {"origin": "https://evil.example"},
        {"origin": "http://127.0.0.1:9"},
        {"origin": "null"},
        {"origin": ""},
    ],
    ids=range(6),
)
async def test_another_sites_page_posts_nothing(browser: Browser, headers: dict[str, str]) -> None:
    token = await browser.gateway.opened.token(Role.CLINICIAN)
    refused = await browser.http.post("/sign-in", data={"token": token}, headers=headers)
    assert (refused.status_code, COOKIE in refused.cookies) == (403, False)
    await browser.sign_in()
    for path in ("/gradio_api/queue/join", "/sign-out"):
        assert (await browser.http.post(path, headers=headers)).status_code == 403
    assert (await browser.http.get("/", headers=headers)).status_code == 200  # a link may lead here


async def test_a_browsers_own_form_signs_in(browser: Browser) -> None:
    url = browser.http.base_url
    token = await browser.gateway.opened.token(Role.CLINICIAN)
    for headers in (
        {"sec-fetch-site": "same-origin", "origin": f"{url.scheme}://{url.netloc.decode()}"},
        {"sec-fetch-site": "none"},
        {"origin": f"{url.scheme}://{url.netloc.decode()}"},
    ):
        assert (
            await browser.http.post("/sign-in", data={"token": token}, headers=headers)
        ).status_code == 303
    # With "no-referrer" a browser would send the origin "null" with this very form.
    assert (await browser.http.get("/sign-in")).headers["referrer-policy"] == "same-origin"


@pytest.mark.parametrize(
    ("profile", "scheme", "secure"),
    [
        (Profile.DEVELOPMENT, "http", False),  # `curbside up`, on a loopback address
        (Profile.DEVELOPMENT, "https", True),
        (Profile.PRODUCTION, "http", True),  # behind an ingress that ends TLS
    ],
)
async def test_the_cookie_travels_over_tls_where_there_is_any(
    browser: Browser, tmp_path: Path, profile: Profile, scheme: str, secure: bool
) -> None:
    # On the keys that the fixture's platform made: production makes none.
    settings = RuntimeSettings(data_dir=tmp_path / "workbench", min_free_disk_bytes=0, profile=profile)
    token = await browser.gateway.opened.token(Role.CLINICIAN)
    async with open_test_platform("workbench", tmp_path / "workbench", settings=settings) as opened:
        transport = httpx2.ASGITransport(app=opened.app)
        async with httpx2.AsyncClient(transport=transport, base_url=f"{scheme}://test") as http:
            welcome = await http.post("/sign-in", data={"token": token})
            assert welcome.status_code == 303
            assert ("Secure" in welcome.headers["set-cookie"]) is secure


async def test_nothing_behind_the_gate_answers_a_stranger(browser: Browser) -> None:
    for path in ("/config", "/gradio_api/info", "/gradio_api/queue/data?session_hash=s1", "/theme.css"):
        assert (await browser.http.get(path)).status_code == 401
    assert (await browser.http.post("/gradio_api/queue/join", json={})).status_code == 401


async def test_the_page_shadows_no_path_of_the_api(browser: Browser) -> None:
    await browser.sign_in()
    for path in ("/ingestion/v1/nothing", "/inference/v1/model"):
        unknown = await browser.http.get(path)
        assert (unknown.status_code, unknown.headers["content-type"]) == (404, "application/problem+json")
    assert (await browser.http.post("/livez")).status_code == 405
    assert (await browser.http.get("/livez")).text == "alive\n"
    assert (await browser.http.get("/readyz")).json()["services"]["workbench"]["inference"] == "ok"
    assert "swagger" in (await browser.http.get("/docs")).text.casefold()
    assert "curbside_" in (await browser.http.get("/metrics")).text


@on_both
async def test_an_answer_streams_in_and_ends_with_its_evidence_and_notice(browser: Browser) -> None:
    await browser.sign_in()
    panels = [shown async for shown in browser.ask()]
    assert "Removing identifiers" in panels[0][0]
    assert any("A 5 mm nodule</p>" in opinion and "is writing" in opinion for opinion, _ in panels)
    opinion, seen = panels[-1]
    assert "A 5 mm nodule in the left upper lobe." in opinion
    assert "<q>FINDINGS: [NAME] has a 5 mm nodule in the left upper lobe.</q>" in opinion
    assert "<code>base</code>" in opinion
    assert DEMONSTRATION_NOTICE in opinion
    assert "1 identifier replaced." in seen
    assert '<mark>FINDINGS: <span class="cb-gone">[NAME]</span> has a 5 mm nodule' in seen
    assert all(NOTICE in opinion for opinion, _ in panels)
    assert browser.stop == [True] * (len(panels) - 2) + [False] * 2  # gradio repeats the last state
    assert NAME not in str(panels)


async def test_stop_waits_for_something_to_stop_and_says_no_more_than_is_true(browser: Browser) -> None:
    await browser.sign_in()
    buttons = {
        component["props"]["value"]: component["props"]
        for component in (await browser.config())["components"]
        if component["type"] == "button"
    }
    assert buttons["Stop"]["interactive"] is False
    assert "Stopped.</p>" in rendering.stopped()
    await browser.answer("summarize", " ")
    assert not any(browser.stop)
    browser.gateway.engine.ends_early = True
    await browser.answer()
    assert browser.stop[-1] is False


async def test_what_stands_in_a_report_is_never_markup(browser: Browser) -> None:
    await browser.sign_in()
    browser.gateway.engine.pieces = ["<img src=x onerror=alert(1)> nodule"]
    opinion, seen = await browser.answer("diagnose", "A <script>alert(1)</script> nodule & more.")
    assert "<img" not in opinion
    assert "<script" not in opinion + seen
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in seen


async def test_a_line_end_of_unicode_breaks_no_answer(browser: Browser) -> None:
    await browser.sign_in()
    browser.gateway.engine.pieces = ["A nodule\u2028", "in the\u2029left lobe."]
    opinion, seen = await browser.answer("diagnose", "A\u2028nodule in the\u2029left lobe.")
    assert "A nodule\u2028in the\u2029left lobe.</p>" in opinion
    assert "nodule in the" in seen


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        (("summarize", "  "), "Paste a report first."),
        (("compare", REPORT), "Paste the prior report to compare with."),
        (("prophesy", REPORT), ""),  # Gradio holds a radio to its choices
    ],
    ids=["empty", "no-prior", "unknown"],
)
async def test_what_cannot_be_asked_is_not(browser: Browser, asked: tuple[str, ...], sentence: str) -> None:
    await browser.sign_in()
    assert sentence in (await browser.answer(*asked))[0]
    assert not browser.gateway.engine.asked


async def test_every_failure_is_a_sentence(browser: Browser) -> None:
    await browser.sign_in()
    gateway = browser.gateway
    gateway.engine.refusal = (429, {"error": "x", "error_type": "overloaded"})
    assert "as many questions as it can already. Ask again in 5 seconds." in (await browser.answer())[0]
    gateway.engine.refusal, gateway.engine.ends_early = None, True
    assert "before its answer was whole" in (await browser.answer())[0]
    gateway.shield.quarantine = "deid.language"
    opinion, seen = await browser.answer()
    assert "Send an English report" in opinion
    assert NAME not in opinion + seen


async def test_what_nobody_foresaw_is_a_sentence_too_and_no_log_quotes_it(
    browser: Browser, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    await browser.sign_in()
    opinion, _ = await browser.answer("diagnose", f"{REPORT}\ud800")
    assert "Something went wrong on our side" in opinion
    lines = [JsonFormatter("test").format(record) for record in caplog.records]
    assert "Katzenbach" not in "".join(lines) + "".join(capfd.readouterr())


@on_both
async def test_a_token_that_is_no_longer_good_ends_the_session(browser: Browser) -> None:
    await browser.sign_in()
    sealed = Sessions(browser.opened.platform.ring, timedelta(hours=1)).seal("cbs_0123456789abcdef_gone")
    browser.http.cookies.clear()
    browser.http.cookies.set(COOKIE, sealed)
    assert "session has ended" in (await browser.answer())[0]


async def test_who_closes_the_page_closes_the_engines_stream(browser: Browser) -> None:
    await browser.sign_in()
    browser.gateway.engine.pieces = [" word" * 40_000] * 100  # 20 MB: more than all sockets buffer
    async with aclosing(browser.ask()) as panels:
        async for opinion, _ in panels:
            if "is writing" in opinion:
                break
    await asyncio.wait_for(browser.gateway.engine.left.wait(), WAIT)


@on_both
async def test_the_page_needs_no_other_host_keeps_nothing_and_offers_no_api(browser: Browser) -> None:
    await browser.sign_in()
    page = await browser.http.get("/")
    assert "default-src 'self'" in page.headers["content-security-policy"]
    loaded = re.findall(r"<(?:script|link|img|iframe)[^>]*(?:src|href)=\"(https?://[^\"]+)", page.text)
    assert [url for url in loaded if not url.startswith(str(browser.http.base_url))] == []
    assert "fonts.googleapis" not in (await browser.http.get("/theme.css")).text
    config = await browser.config()
    assert config["analytics_enabled"] is False
    assert config["run_history"] is False
    assert {function["api_visibility"] for function in config["dependencies"]} == {"private"}
    assert (await browser.http.get("/gradio_api/info")).json()["named_endpoints"] == {}
    assert NOTICE in json.dumps(config, ensure_ascii=False)


@on_both
async def test_inference_that_is_down_is_said_at_the_door(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CURBSIDE_WORKBENCH__INFERENCE_URL", "http://127.0.0.1:9")  # discard: nothing listens
    async with open_test_platform("workbench", tmp_path) as opened:
        transport = httpx2.ASGITransport(app=opened.app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://test") as http:
            closed = await http.post("/sign-in", data={"token": "cbs_0_x"})
            assert closed.status_code == 503
            assert "does not answer" in closed.text
            assert (await http.get("/readyz")).status_code == 503
        engine = create_engine(sync_url(opened.platform.database.url))
        with engine.connect() as connection:
            assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
        engine.dispose()


def test_a_session_ends_and_cannot_be_forged(ring: KeyRing) -> None:
    sessions = Sessions(ring, timedelta(hours=1))
    sealed = sessions.seal("cbs_1_secret")
    assert sessions.token(sealed) == "cbs_1_secret"
    assert (
        Sessions(ring, timedelta(seconds=-1)).token(Sessions(ring, timedelta(seconds=-1)).seal("t")) is None
    )
    for forged in (None, "", "x", sealed[:-4] + "AAAA", sealed[4:]):
        assert sessions.token(forged) is None


def test_panels_say_what_is_missing_or_cut() -> None:
    opinion: rendering.Opinion = {
        "answer": "",
        "truncated": True,
        "evidence": [],
        "model_version": "m1",
        "notice": NOTICE,
        "shielded_spans": 0,
        "input": "[NAME] [x] [DATE]",
    }
    panel = rendering.opinion_panel(opinion)
    assert "gave no answer" in panel
    assert "length limit" in panel
    assert "No sentence of the report" in panel
    assert NOTICE in panel
    seen = rendering.seen_panel(opinion)
    assert "No identifier was found." in seen
    assert seen.count("cb-gone") == 3  # the legend's, [NAME] and [DATE]
