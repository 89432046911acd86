"""The page: a report on the left, its opinion on the right, the notice above both.

Importing this module takes seconds, for it imports gradio: `service.py` does so when it builds.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import Any, Final

import gradio as gr

from curbside.contracts.tasks import Task
from curbside.errors import CurbsideError
from curbside_workbench.asking import SESSION_ENDED, answer
from curbside_workbench.domain import rendering
from curbside_workbench.http import InferenceApi
from curbside_workbench.sessions import COOKIE, Sessions
from curbside_workbench.settings import WorkbenchSettings

QUESTIONS: Final = (
    ("Summarize", Task.SUMMARIZE.value),
    ("Primary diagnosis", Task.DIAGNOSE.value),
    ("Abnormal findings", Task.ANOMALIES.value),
    ("Compare with a prior report", Task.COMPARE.value),
)
CSS: Final = (Path(__file__).parent / "page.css").read_text()
_HEAD: Final = (
    '<div class="cb-head"><h1>Curbside</h1><p>A second opinion on a report.</p>'
    '<form method="post" action="/sign-out"><button type="submit">Sign out</button></form></div>'
)
# Follows the light palette alone: a clinical page that turns dark by itself reads worse in a lit room.
LIGHT: Final = "() => document.body.classList.remove('dark')"


def theme() -> gr.themes.Base:
    """Colours of high contrast and the system's own fonts."""
    return gr.themes.Base(
        primary_hue="blue",
        neutral_hue="slate",
        font=["system-ui", "Segoe UI", "Roboto", "sans-serif"],
        font_mono=["ui-monospace", "SF Mono", "Menlo", "Consolas", "monospace"],
    ).set(
        body_background_fill="#f4f6f8",
        body_text_color="#16202a",
        block_label_text_color="#2b3947",
        block_title_text_color="#2b3947",
        block_border_color="#cfd6dd",
        input_background_fill="#ffffff",
        input_border_color="#71808e",
        input_border_width="1px",
        input_placeholder_color="#5b6875",
        checkbox_label_text_color="#16202a",
        button_primary_background_fill="#0b5394",
        button_primary_background_fill_hover="#08406f",
        button_primary_text_color="#ffffff",
    )


def build_page(api: InferenceApi, sessions: Sessions, settings: WorkbenchSettings) -> Any:
    """The Blocks. Nothing that is pasted is kept: no flagging, no run history, no examples cache."""

    async def show_model(request: gr.Request) -> str:
        token = sessions.token(request.cookies.get(COOKIE))
        try:
            return rendering.banner(embedded=bool(token and (await api.model(token))["embedded"]))
        except CurbsideError:
            return rendering.banner(embedded=False)

    async def ask(
        task: str, report: str, prior: str, request: gr.Request
    ) -> AsyncGenerator[tuple[str, str, Any]]:
        """The two panels, and the button that stops while there is something to stop."""
        token = sessions.token(request.cookies.get(COOKIE))
        if token is None:
            yield rendering.problem(SESSION_ENDED), rendering.nothing_seen(), gr.update(interactive=False)
            return
        async with aclosing(answer(api, token, task, report, prior)) as panels:
            async for shown in panels:
                yield shown.opinion, shown.seen, gr.update(interactive=shown.going)

    with gr.Blocks(title="Curbside", analytics_enabled=False) as page:
        gr.HTML(_HEAD)
        banner = gr.HTML(rendering.banner(embedded=False), elem_classes="cb-banner")
        with gr.Row(equal_height=False):
            with gr.Column(scale=1, min_width=380):
                task = gr.Radio(list(QUESTIONS), value=QUESTIONS[0][1], label="Question")
                report = gr.Textbox(
                    label="Report", lines=16, max_lines=28, placeholder="Paste the report's text here."
                )
                prior = gr.Textbox(
                    label="Prior report",
                    lines=8,
                    max_lines=20,
                    placeholder="Paste the earlier report to compare with.",
                    visible=False,
                )
                with gr.Row():
                    asked = gr.Button("Ask", variant="primary", scale=3)
                    stopped = gr.Button("Stop", scale=1, interactive=False)
                    cleared = gr.Button("Clear", scale=1)
            with gr.Column(scale=1, min_width=380):
                gr.HTML('<h3 class="cb-title">Opinion</h3>')
                opinion = gr.HTML(rendering.empty_opinion())
                gr.HTML('<h3 class="cb-title">What the model saw</h3>')
                seen = gr.HTML(rendering.nothing_seen())

        quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
        page.load(show_model, None, banner, **quiet)
        task.change(
            lambda chosen: gr.update(visible=chosen == Task.COMPARE.value), task, prior, queue=False, **quiet
        )
        asking = asked.click(
            ask,
            [task, report, prior],
            [opinion, seen, stopped],
            concurrency_limit=settings.max_concurrent,
            trigger_mode="once",
            **quiet,
        )
        idle = gr.update(interactive=False)
        stopped.click(
            lambda: (rendering.stopped(), idle),
            None,
            [opinion, stopped],
            cancels=[asking],
            queue=False,
            **quiet,
        )
        cleared.click(
            lambda: ("", "", rendering.empty_opinion(), rendering.nothing_seen(), idle),
            None,
            [report, prior, opinion, seen, stopped],
            cancels=[asking],
            queue=False,
            **quiet,
        )
    page.queue(max_size=settings.max_waiting, api_open=False)
    return page
