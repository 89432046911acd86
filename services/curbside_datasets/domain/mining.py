"""Mining: what a report can teach, and why it can teach nothing.

The input is the report without its answers: sections of kind `answer` and `drop` are left out, and so are
letterhead and sign-off. An answer never stands in its own prompt; the one exception is `anomalies`, whose
answer is by its nature a selection of the findings.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Final

from curbside.contracts.tasks import Change, Task, change_in
from curbside.phi import SafeText
from curbside.segmentation import (
    Kind,
    Section,
    clean,
    content_of,
    is_signature,
    segment,
    shown,
    standard_form,
)
from curbside_datasets.domain.policies import policy
from curbside_datasets.domain.recipe import Recipe

_SENTENCE: Final = re.compile(r"(?<=[.!?])\s+(?=[A-Z\[(0-9])|\n+")
_NUMBERING: Final = re.compile(r"^\s*(?:\(?\d{1,2}[.)]|[-*•])\s*")
# A list on one line ("1. Cyst. 2. Scar.") would else leave its numbers as sentences.
_LONE_NUMBER: Final = re.compile(r"(?:(?<=[.!?;] )|^)\(?\d{1,2}[.)]\s+(?=[A-Z\[])")
_LABEL: Final = re.compile(r"^(?:axis i|primary|principal)\s*:\s*", re.IGNORECASE)
_WORD: Final = re.compile(r"[a-z0-9]+")
# Where the first item of a diagnosis ends; the full stop of a numeral ("I. Strangulation") ends none.
_ITEM_END: Final = re.compile(r"[,;]|\s[-–—]+\s|(?<=[A-Za-z]{2}[.!?])\s+")
# A negation holds to the end of its clause, and within NegEx's reach of about five words.
_NEGATED: Final = re.compile(r"\b(?:no|not|without|neither|nor|free of)\b[^.;,:]*$")
_NEGATION_REACH: Final = 30  # characters
# A section that lists more than this is an examination from head to toe, not a list of findings.
_MAX_FINDINGS: Final = 5
NO_FINDINGS: Final = "None."


class Reason(StrEnum):
    """Why a report yields no example."""

    NOT_FINAL = "not-final"
    SUPERSEDED = "superseded"  # an amendment replaced it
    WITHDRAWN = "withdrawn"  # its source retracted it
    EXCLUDED = "excluded"  # its source says that it must not be learned from
    OPTED_OUT = "opted-out"  # its patient denies training
    OTHER_LEGAL_BASIS = "other-legal-basis"  # the recipe takes reports of another
    TEXT_UNKNOWN = "text-unknown"  # learned by a release that did not keep where the text lies
    NO_SECTIONS = "no-sections"
    NO_BODY = "no-body"
    NO_ANSWER_SECTION = "no-answer-section"
    NO_PRIOR = "no-prior"  # it has a comparison only, and nothing to compare with
    ANSWER_IN_PROMPT = "answer-in-prompt"
    ANSWER_TOO_LONG = "answer-too-long"
    TOO_SHORT = "too-short"
    TOO_LONG = "too-long"


@dataclass(frozen=True, slots=True)
class Answer:
    text: str
    labelled_by: str


@dataclass(frozen=True, slots=True)
class Mined:
    """What stands in one report, whatever the recipe: its input, and its answers by task.

    `reason` is set where no recipe can make an example of it by itself.
    """

    body: str
    answers: Mapping[Task, Answer]
    reason: Reason | None


@dataclass(frozen=True, slots=True)
class Offer:
    """What a recipe takes of a report. `compare` among the answers also needs a prior.

    `reason` is set where the report yields no example by itself; `dropped` says why an answer was left.
    """

    answers: Mapping[Task, Answer]
    dropped: Mapping[Task, Reason]
    reason: Reason | None


def mine_report(text: SafeText) -> Mined:
    """Clean, segment and mine a de-identified report."""
    return mine(clean(text).text)


def mine(text: str) -> Mined:
    """Mine a cleaned report."""
    sections = segment(text)
    if not sections:
        return Mined("", {}, Reason.NO_SECTIONS)
    body = standard_form(sections)
    if not body:
        return Mined("", {}, Reason.NO_BODY)
    candidates = {
        Task.SUMMARIZE: _summary(sections),
        Task.DIAGNOSE: _diagnosis(sections),
        Task.ANOMALIES: _anomalies(sections),
        Task.COMPARE: _comparison(sections),
    }
    answers = {task: answer for task, answer in candidates.items() if answer is not None}
    return Mined(body, answers, None if answers else Reason.NO_ANSWER_SECTION)


def offer(mined: Mined, recipe: Recipe) -> Offer:
    """What `recipe` takes of `mined`."""
    if mined.reason is not None:
        return Offer({}, {}, mined.reason)
    words = len(mined.body.split())
    if words < recipe.min_input_words:
        return Offer({}, {}, Reason.TOO_SHORT)
    if words > recipe.max_input_words:
        return Offer({}, {}, Reason.TOO_LONG)
    wanted = {task: answer for task, answer in mined.answers.items() if task in recipe.tasks}
    dropped: dict[Task, Reason] = {}
    for task, answer in wanted.items():
        if task is not Task.ANOMALIES and _is_told(task, answer.text, mined.body):
            dropped[task] = Reason.ANSWER_IN_PROMPT
        elif len(answer.text.split()) > recipe.max_output_words:
            dropped[task] = Reason.ANSWER_TOO_LONG
    kept = {task: answer for task, answer in wanted.items() if task not in dropped}
    reason = None
    if not kept:
        reason = next(iter(dropped.values()), Reason.NO_ANSWER_SECTION)
    elif set(kept) == {Task.COMPARE}:
        reason = Reason.NO_PRIOR
    return Offer(kept, dropped, reason)


def stands_in(answer: str, prompt: str) -> bool:
    """Whether `answer`, or a sentence of it of four words or more, occurs in `prompt`: word by word,
    whatever the case, the punctuation and the articles."""
    return _occurs([answer, *(piece for piece in sentences(answer) if len(piece.split()) >= 4)], prompt)


def primary_of(diagnosis: str) -> str:
    """The first item of a diagnosis that lists several or qualifies one: "Cataract, right eye"."""
    return next((item for item in _ITEM_END.split(diagnosis) if _words(item)), diagnosis).strip()


def _is_told(task: Task, answer: str, prompt: str) -> bool:
    """Whether the prompt holds the answer. A diagnosis is judged by its first item, however short: who
    reads "cataract" in the history copies it, and has diagnosed nothing."""
    if task is Task.DIAGNOSE and _occurs([primary_of(answer)], prompt):
        return True
    return stands_in(answer, prompt)


def _occurs(pieces: Sequence[str], prompt: str) -> bool:
    within = f" {_words(prompt)} "
    return any(f" {words} " in within for piece in pieces if (words := _words(piece)))


def _words(text: str) -> str:
    return " ".join(word for word in _WORD.findall(text.casefold()) if word not in ("a", "an", "the"))


def sentences(text: str) -> list[str]:
    pieces = (_NUMBERING.sub("", piece).strip() for piece in _SENTENCE.split(_LONE_NUMBER.sub("", text)))
    return [piece for piece in pieces if piece]


def _first(sections: Sequence[Section], *names: str) -> Section | None:
    return next((s for name in names for s in sections if s.name == name and content_of(s)), None)


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
    first = _LABEL.sub("", first)
    return Answer(first.strip().rstrip(".,;"), "section:diagnosis") if first.strip() else None


def _anomalies(sections: Sequence[Section]) -> Answer | None:
    searched = [sentences(content_of(one)) for one in shown(sections) if one.kind is Kind.FINDINGS]
    # One sentence is a title ("EXAM: CT of the head without contrast."), unless nothing else is there.
    found = [s for some in searched if len(some) > 1 or len(searched) == 1 for s in some]
    abnormal, normal = [], False
    for sentence in found:
        if _cue("normal").search(sentence):
            normal = True
        elif not _cue("act").search(sentence) and not _is_measurement(sentence):
            abnormal.append(sentence.rstrip("."))
    if len(abnormal) > _MAX_FINDINGS or not (abnormal or normal):
        return None
    return Answer("; ".join(abnormal) + "." if abnormal else NO_FINDINGS, "rule:abnormal-sentences")


def _is_measurement(sentence: str) -> bool:
    """Whether it only states numbers ("Blood pressure 146/80, pulse 68."), and judges none of them."""
    words = re.findall(r"[a-z]+", sentence.casefold())
    return re.search(r"\d", sentence) is not None and set(words) <= set(policy("cues")["measurement"])


def _comparison(sections: Sequence[Section]) -> Answer | None:
    section = _first(sections, "interval_change")
    text = " ".join(_answer_lines(section)) if section is not None else ""
    if not text:
        return None
    if change_in(text) is not None:
        return Answer(text, "section:interval_change")
    change = change_said(text)
    return Answer(f"{change}: {text}", "rule:change-cue") if change is not None else None


def change_said(text: str) -> Change | None:
    """The direction that a comparison in free words takes, by cue; "no new nodule" is not a new one."""
    folded = text.casefold()
    for change, cues in policy("cues")["change"].items():
        for cue in cues:
            for match in re.finditer(rf"\b{re.escape(cue)}\b", folded):
                if not _NEGATED.search(folded, max(0, match.start() - _NEGATION_REACH), match.start()):
                    return Change(change)
    return None


def _answer_lines(section: Section) -> list[str]:
    return [line.strip() for line in section.text.split("\n") if line.strip() and not is_signature(line)]


@cache
def _cue(name: str) -> re.Pattern[str]:
    cues = "|".join(re.escape(cue) for cue in policy("cues")[name])
    return re.compile(rf"\b(?:{cues})\b", re.IGNORECASE)
