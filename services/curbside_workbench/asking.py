"""Asking from the page: what its two panels show while an answer comes, and when none does."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, Final, NamedTuple

from curbside.contracts.tasks import Task
from curbside.errors import CurbsideError
from curbside.phi import PhiText
from curbside_workbench.domain import rendering
from curbside_workbench.http import InferenceApi

log = logging.getLogger(__name__)
SESSION_ENDED: Final = "Your session has ended. Reload the page to sign in again."


class Shown(NamedTuple):
    """The opinion's panel, that of the text which the model saw, and whether more comes."""

    opinion: str
    seen: str
    going: bool = False


async def answer(api: InferenceApi, token: str, task: str, report: str, prior: str) -> AsyncGenerator[Shown]:
    """The two panels, again and again while the answer comes; every failure is one sentence."""
    unseen = rendering.nothing_seen()
    comparing = task == Task.COMPARE.value
    if not report.strip():
        yield Shown(rendering.problem("Paste a report first."), unseen)
        return
    if comparing and not prior.strip():
        yield Shown(rendering.problem("Paste the prior report to compare with."), unseen)
        return
    yield Shown(rendering.waiting(), unseen, going=True)
    text = ""
    try:
        pieces = api.ask(token, Task(task), PhiText(report), PhiText(prior) if comparing else None)
        async with aclosing(pieces):
            async for piece in pieces:
                if isinstance(piece, str):
                    text += piece
                    yield Shown(rendering.waiting(text), unseen, going=True)
                else:
                    opinion: Any = piece
                    yield Shown(rendering.opinion_panel(opinion), rendering.seen_panel(opinion))
                    return
    except CurbsideError as error:
        ended = getattr(error, "http_status", None) == 401
        sentence = SESSION_ENDED if ended else rendering.sentence_of(error.message, error.mend)
        yield Shown(rendering.problem(sentence), unseen)
        return
    except Exception as error:
        # Gradio would print its message, which may quote what was pasted; our log drops it.
        log.error("the page could not show an answer", exc_info=error)
        yield Shown(rendering.problem("Something went wrong on our side; it is in our log."), unseen)
        return
    yield Shown(rendering.problem("The answer broke off before it was whole. Ask again."), unseen)
