"""Mining: what a report can teach, and why it can teach nothing.

The input is the report without its answers: sections of kind `answer` and `drop` are left out, and so are
letterhead and sign-off. An answer never stands in its own prompt; the one exception is `anomalies`, whose
answer is by its nature a selection of the findings.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import cache
from typing import Any, Final

from curbside.contracts.tasks import Change, Task, change_in
from curbside_datasets.domain.policies import policy
from curbside_datasets.domain.recipe import Recipe
from curbside_datasets.domain.sections import Kind, Section, segment

_SENTENCE: Final = re.compile(r"(?<=[.!?])\s+(?=[A-Z\[(0-9])|\n+")
_PLACEHOLDER: Final = re.compile(r"\[[A-Z_]+\]")
_NUMBERING: Final = re.compile(r"^\s*(?:\(?\d{1,2}[.)]|[-*•])\s*")
_WORD: Final = re.compile(r"[a-z0-9]+")
# A section that lists more than this is an examination from head to toe, not a list of findings.
_MAX_FINDINGS: Final = 5
NO_FINDINGS: Final = "None."


class Reason(StrEnum):
    """Why a report yields no example."""

    NOT_FINAL = "not-final"
    SUPERSEDED = "superseded"
    NO_SECTIONS = "no-sections"
    NO_BODY = "no-body"
    NO_ANSWER_SECTION = "no-answer-section"
    ANSWER_IN_PROMPT = "answer-in-prompt"
    TOO_SHORT = "too-short"
    TOO_LONG = "too-long"


@dataclass(frozen=True, slots=True)
class Answer:
    text: str
    labelled_by: str


@dataclass(frozen=True, slots=True)
class Mined:
    """What one report offers: its input, and its answers by task. `compare` also needs a prior."""

    body: str
    answers: Mapping[Task, Answer]
    reason: Reason | None

    def to_json(self) -> dict[str, Any]:
        return {
            "body": self.body,
            "answers": {task.value: asdict(answer) for task, answer in self.answers.items()},
            "reason": self.reason,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Mined:
        return cls(
            data["body"],
            {Task(task): Answer(**answer) for task, answer in data["answers"].items()},
            Reason(data["reason"]) if data["reason"] else None,
        )


def mine(text: str, recipe: Recipe) -> Mined:
    """Mine a cleaned report. `reason` is set where it yields no example by itself."""
    sections = segment(text)
    if not sections:
        return Mined("", {}, Reason.NO_SECTIONS)
    body = "\n".join(
        f"{section.heading.upper()}: {content}"
        for section in sections
        if section.kind in (Kind.BODY, Kind.FINDINGS) and (content := _content(section))
    )
    words = len(body.split())
    if not body:
        return Mined("", {}, Reason.NO_BODY)
    if words < recipe.min_input_words:
        return Mined(body, {}, Reason.TOO_SHORT)
    if words > recipe.max_input_words:
        return Mined("", {}, Reason.TOO_LONG)
    candidates = {
        Task.SUMMARIZE: _summary(sections),
        Task.DIAGNOSE: _diagnosis(sections),
        Task.ANOMALIES: _anomalies(sections),
        Task.COMPARE: _comparison(sections),
    }
    wanted = {
        task: answer
        for task, answer in candidates.items()
        if answer is not None and task in recipe.tasks and len(answer.text.split()) <= recipe.max_output_words
    }
    kept = {
        task: answer
        for task, answer in wanted.items()
        if task is Task.ANOMALIES or not stands_in(answer.text, body)
    }
    alone = [task for task in kept if task is not Task.COMPARE]
    reason = None
    if not alone:
        reason = Reason.ANSWER_IN_PROMPT if wanted else Reason.NO_ANSWER_SECTION
    return Mined(body, kept, reason)


def stands_in(answer: str, prompt: str) -> bool:
    """Whether `answer`, or a sentence of it of four words or more, occurs in `prompt`, word by word."""
    within = f" {' '.join(_WORD.findall(prompt.casefold()))} "
    pieces = [answer, *(piece for piece in sentences(answer) if len(piece.split()) >= 4)]
    normal = (" ".join(_WORD.findall(piece.casefold())) for piece in pieces)
    return any(f" {piece} " in within for piece in normal if piece)


def sentences(text: str) -> list[str]:
    return [_NUMBERING.sub("", piece).strip() for piece in _SENTENCE.split(text) if piece.strip()]


def _content(section: Section) -> str:
    """A section's text on one line, without the lines of letterhead and sign-off."""
    lines = [line for line in section.text.split("\n") if line.strip() and not is_signature(line)]
    return " ".join(line.strip() for line in lines)


def is_signature(line: str) -> bool:
    rest = _PLACEHOLDER.sub("", line)
    if rest != line and not re.search(r"[A-Za-z]{3}", rest):
        return True
    folded = line.casefold().strip()
    return _PLACEHOLDER.search(line) is not None and any(
        folded.startswith(cue) or f" {cue}" in folded for cue in policy("cues")["signature"]
    )


def _first(sections: Sequence[Section], *names: str) -> Section | None:
    return next((s for name in names for s in sections if s.name == name and _content(s)), None)


def _summary(sections: Sequence[Section]) -> Answer | None:
    section = _first(sections, "impression", "assessment")
    if section is None:
        return None
    text = " ".join(_NUMBERING.sub("", line).strip() for line in _answer_lines(section))
    return Answer(text, f"section:{section.name}") if text else None


def _diagnosis(sections: Sequence[Section]) -> Answer | None:
    section = _first(sections, "diagnosis")
    lines = _answer_lines(section) if section is not None else []
    if section is None or not lines:
        return None
    # A list on one line keeps its numbers: the primary is what stands before the second.
    first = re.split(r"\s+2[.)]\s", _NUMBERING.sub("", lines[0]), maxsplit=1)[0]
    return Answer(first.strip().rstrip(".,;"), "section:diagnosis") if first.strip() else None


def _anomalies(sections: Sequence[Section]) -> Answer | None:
    searched = [section for section in sections if section.kind is Kind.FINDINGS]
    found = [s for section in searched for s in sentences(_content(section))]
    if not found:
        return None
    abnormal = [sentence.rstrip(".") for sentence in found if not _normal_cue().search(sentence)]
    if len(abnormal) > _MAX_FINDINGS:
        return None
    return Answer("; ".join(abnormal) + "." if abnormal else NO_FINDINGS, "rule:abnormal-sentences")


def _comparison(sections: Sequence[Section]) -> Answer | None:
    section = _first(sections, "interval_change")
    text = " ".join(_answer_lines(section)) if section is not None else ""
    if not text:
        return None
    if change_in(text) is not None:
        return Answer(text, "section:interval_change")
    folded = text.casefold()
    for change, cues in policy("cues")["change"].items():
        if any(re.search(rf"\b{re.escape(cue)}\b", folded) for cue in cues):
            return Answer(f"{Change(change)}: {text}", "rule:change-cue")
    return None


def _answer_lines(section: Section) -> list[str]:
    return [line.strip() for line in section.text.split("\n") if line.strip() and not is_signature(line)]


@cache
def _normal_cue() -> re.Pattern[str]:
    cues = "|".join(re.escape(cue) for cue in policy("cues")["normal"])
    return re.compile(rf"\b(?:{cues})\b", re.IGNORECASE)
