"""The page's panels as HTML. What comes from outside is escaped; every panel that answers has the notice."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TypedDict

from curbside.contracts.tasks import DEMONSTRATION_NOTICE, NOTICE
from curbside.phi import PLACEHOLDER


class Piece(TypedDict):
    text: str
    start: int
    end: int


class Opinion(TypedDict, total=False):
    """The whole opinion as inference's API gives it."""

    answer: str
    truncated: bool
    evidence: list[Piece]
    model_version: str
    notice: str
    demonstration_notice: str
    shielded_spans: int
    input: str


def banner(*, embedded: bool) -> str:
    """The notice at the top of the page, which stays there while it scrolls."""
    demonstration = f"<br><strong>Demonstration.</strong> {escape(DEMONSTRATION_NOTICE)}" if embedded else ""
    return f'<div class="cb-notice" role="note"><strong>{escape(NOTICE)}</strong>{demonstration}</div>'


def empty_opinion() -> str:
    return _panel(
        '<p class="cb-muted">No opinion yet. Paste a report, choose a question, and press '
        "<strong>Ask</strong>.</p>"
    )


def waiting(text: str = "") -> str:
    """While the answer comes: what there is of it, and that there is more."""
    state = "The model is writing…" if text else "Removing identifiers, then asking the model…"
    answer = f'<p class="cb-answer">{escape(text)}</p>' if text else ""
    spinner = '<span class="cb-spinner" aria-hidden="true"></span>'
    return _panel(f'{answer}<p class="cb-state" role="status">{spinner}{state}</p>', notice=NOTICE)


def stopped() -> str:
    return _panel('<p class="cb-muted">Stopped.</p>')


def problem(sentence: str) -> str:
    return _panel(f'<p class="cb-problem" role="alert"><strong>No opinion.</strong> {escape(sentence)}</p>')


def opinion_panel(opinion: Opinion) -> str:
    """The answer, what it rests on, which model gave it, and the notice."""
    answer = escape(opinion["answer"]) or "<em>The model gave no answer.</em>"
    cut = (
        '<p class="cb-muted">The answer was cut at its length limit.</p>' if opinion.get("truncated") else ""
    )
    quotes = "".join(f"<li><q>{escape(piece['text'])}</q></li>" for piece in opinion["evidence"])
    evidence = (
        f"<ul>{quotes}</ul>"
        if quotes
        else '<p class="cb-muted">No sentence of the report shares its words. Read it with care.</p>'
    )
    notice = " ".join(filter(None, (opinion["notice"], opinion.get("demonstration_notice"))))
    return _panel(
        f'<p class="cb-answer">{answer}</p>{cut}'
        f"<h4>Sentences of the report that share its words</h4>{evidence}"
        f'<p class="cb-muted">Model version <code>{escape(opinion["model_version"])}</code></p>',
        notice=notice,
    )


def nothing_seen() -> str:
    return (
        '<div class="cb-panel"><p class="cb-muted">Names, dates, numbers and places are replaced before the '
        "model sees a report. What it saw is shown here with every answer.</p></div>"
    )


def seen_panel(opinion: Opinion) -> str:
    """The text that the model saw, with what was replaced and what the answer shares words with marked."""
    count = opinion["shielded_spans"]
    replaced = "No identifier was found." if not count else f"{count} identifier{'s'[: count > 1]} replaced."
    legend = (
        f'<p class="cb-muted">{replaced} <span class="cb-gone">[NAME]</span> marks a replacement, '
        "<mark>this</mark> a sentence listed beside the answer.</p>"
    )
    return f'<div class="cb-panel">{legend}<pre class="cb-seen">{_marked(opinion)}</pre></div>'


def sentence_of(detail: str, mend: str | None) -> str:
    """A problem's detail and mend as sentences for a person."""
    return " ".join(part[:1].upper() + part[1:].rstrip(".") + "." for part in (detail, mend) if part)


def _marked(opinion: Opinion) -> str:
    text = opinion["input"]
    pieces, reached = [], 0
    ordered: Sequence[Piece] = sorted(opinion["evidence"], key=lambda piece: piece["start"])
    for piece in ordered:
        start, end = max(piece["start"], reached), piece["end"]
        pieces.append(_replacements(text[reached:start]))
        pieces.append(f"<mark>{_replacements(text[start:end])}</mark>")
        reached = end
    return "".join(pieces) + _replacements(text[reached:])


def _replacements(text: str) -> str:
    return PLACEHOLDER.sub(r'<span class="cb-gone">\g<0></span>', escape(text))


def _panel(content: str, *, notice: str | None = None) -> str:
    foot = f'<p class="cb-foot">{escape(notice)}</p>' if notice else ""
    return f'<div class="cb-panel" aria-live="polite">{content}{foot}</div>'
