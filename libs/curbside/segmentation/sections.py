"""Segmentation: headings found by form and lexicon, sections between them."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

_POLICY: Final = Path(__file__).with_name("headings.yaml")
OTHER: Final = "other"
# A heading at a line's start with its colon; or a line of capitals alone.
_AT_LINE: Final = re.compile(
    r"^[ \t]*(?P<heading>[A-Z][A-Za-z0-9 /&,()'\-]{0,58}?[A-Za-z)])[ \t]*:"
    r"|^[ \t]*(?P<alone>[A-Z][A-Z0-9 /&\-]{2,58}[A-Z])[ \t]*$",
    re.MULTILINE,
)
# Behind a sentence on its line ("Lungs are clear. IMPRESSION: Normal."): only of answers, which must not stay
# hidden in what a model is shown.
_WITHIN_LINE: Final = re.compile(r"(?<=[.?!])[ \t]+(?P<heading>[A-Z][A-Z /&()\-]{1,58}[A-Z)])[ \t]*:")
# The newline-free form of the well-known CSV of transcriptions: its line breaks became commas.
_AFTER_COMMA: Final = re.compile(
    r"(?:(?<=,)|^)[ ]*"
    r"(?:(?P<heading>[A-Z][A-Z0-9 /&()'\-]{1,58}[A-Z)])[ ]*:|(?P<alone>[A-Z][A-Z0-9 /&\-]{2,58}[A-Z])(?=,))"
)
_FLAT_HEADINGS: Final = 2  # from which one line counts as that form: prose has no ",HEADING:" twice
_PLURAL: Final = re.compile(r"\s*\((?:e?s)\)$")  # "diagnosis (es)", "finding(s)"


class Kind(StrEnum):
    BODY = "body"
    FINDINGS = "findings"
    ANSWER = "answer"
    DROP = "drop"


@dataclass(frozen=True, slots=True)
class Section:
    """`start` is the heading's, `end` the section's, in code points of the segmented text."""

    name: str
    heading: str
    start: int
    end: int
    text: str

    @property
    def kind(self) -> Kind:
        return _kinds().get(self.name, Kind.BODY)


def segment(text: str) -> list[Section]:
    """The sections of `text` in order. What stands before the first heading belongs to none."""
    found = list(_headings(text))
    sections = []
    for position, (start, end, heading) in enumerate(found):
        stop = found[position + 1][0] if position + 1 < len(found) else len(text)
        body = text[end:stop].strip().strip(",").strip()
        sections.append(Section(canonical(heading), heading, start, stop, body))
    return sections


def canonical(heading: str) -> str:
    """The canonical name of a heading, or "other" where the lexicon holds neither it nor a word of it."""
    normal = _normal(heading)
    if normal in _lexicon():
        return _lexicon()[normal]
    return next((name for name, words in _words() if words.search(normal)), OTHER)


def _headings(text: str) -> list[tuple[int, int, str]]:
    """Start, end with its colon, and words of each heading."""
    flat = "\n" not in text.strip() and sum(1 for _ in _AFTER_COMMA.finditer(text)) >= _FLAT_HEADINGS
    found: list[tuple[int, int, str]] = []
    within = OTHER
    matches = list((_AFTER_COMMA if flat else _AT_LINE).finditer(text))
    matches += (
        m for m in _WITHIN_LINE.finditer(text) if _kinds().get(canonical(m["heading"])) is Kind.ANSWER
    )
    for match in sorted(matches, key=lambda one: one.start()):
        group = "heading" if match["heading"] else "alone"
        heading = match[group]
        if _normal(heading) in _parts().get(within, ()):
            continue
        # A capitalised phrase with a colon may be prose ("Of note:"); capitals, or the lexicon, decide.
        name = canonical(heading)
        if name != OTHER or (group == "heading" and _is_capitals(heading)):
            found.append((match.start(group), match.end(), heading))
            within = name
    return found


def _is_capitals(heading: str) -> bool:
    letters = [c for c in heading if c.isalpha()]
    return len(letters) >= 2 and all(c.isupper() for c in letters)


def _normal(heading: str) -> str:
    return _PLURAL.sub("", re.sub(r"\s+", " ", heading).strip(" :").casefold())


@cache
def _lexicon() -> dict[str, str]:
    return {
        heading: name
        for name, section in lexicon_policy()["sections"].items()
        for heading in section["headings"]
    }


@cache
def _words() -> list[tuple[str, re.Pattern[str]]]:
    return [
        (name, re.compile(rf"(?<![a-z])(?:{'|'.join(map(re.escape, section['words']))})(?![a-z])"))
        for name, section in lexicon_policy()["sections"].items()
        if "words" in section
    ]


@cache
def _parts() -> dict[str, frozenset[str]]:
    return {
        name: frozenset(part["headings"]) for part in lexicon_policy()["parts"] for name in part["within"]
    }


@cache
def _kinds() -> dict[str, Kind]:
    return {name: Kind(section["kind"]) for name, section in lexicon_policy()["sections"].items()}


@cache
def lexicon_policy() -> dict[str, Any]:
    """The lexicon of headings, `headings.yaml`."""
    loaded: dict[str, Any] = yaml.safe_load(_policy_bytes())
    return loaded


def headings_hash() -> str:
    """SHA-256 of the lexicon's bytes, in hex: part of every dataset's lineage."""
    return hashlib.sha256(_policy_bytes()).hexdigest()


@cache
def _policy_bytes() -> bytes:
    # Read once: the hash is that of the lexicon in use, whatever becomes of the file.
    return _POLICY.read_bytes()
