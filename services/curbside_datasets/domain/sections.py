"""Segmentation: headings found by form and lexicon, sections between them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Final

from curbside_datasets.domain.policies import policy

OTHER: Final = "other"
# A heading at a line's start with its colon; or a line of capitals alone.
_AT_LINE: Final = re.compile(
    r"^[ \t]*(?P<heading>[A-Z][A-Za-z0-9 /&,()'\-]{0,58}?[A-Za-z)])[ \t]*:"
    r"|^[ \t]*(?P<alone>[A-Z][A-Z0-9 /&\-]{2,58}[A-Z])[ \t]*$",
    re.MULTILINE,
)
# The newline-free form of the well-known CSV of transcriptions: its line breaks became commas.
_AFTER_COMMA: Final = re.compile(r"(?:(?<=,)|^)[ ]*(?P<heading>[A-Z][A-Z0-9 /&()'\-]{1,58}[A-Z)])[ ]*:")
_FLAT_FROM: Final = 1500  # characters without a line break: no report is written as one line of that length


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
    """The canonical name of a heading, or "other" where the lexicon does not hold it."""
    return _lexicon().get(_normal(heading), OTHER)


def _headings(text: str) -> list[tuple[int, int, str]]:
    flat = "\n" not in text and len(text) >= _FLAT_FROM
    found = []
    for match in (_AFTER_COMMA if flat else _AT_LINE).finditer(text):
        group = "heading" if match["heading"] else "alone"
        heading = match[group]
        known = canonical(heading) != OTHER
        # A capitalised phrase with a colon may be prose ("Of note:"); capitals, or the lexicon, decide.
        if known or (group == "heading" and _is_capitals(heading)):
            found.append((match.start(group), match.end(), heading))
    return found


def _is_capitals(heading: str) -> bool:
    letters = [c for c in heading if c.isalpha()]
    return len(letters) >= 2 and all(c.isupper() for c in letters)


def _normal(heading: str) -> str:
    return re.sub(r"\s+", " ", heading).strip(" :").casefold()


@cache
def _lexicon() -> dict[str, str]:
    return {
        heading: name
        for name, section in policy("headings")["sections"].items()
        for heading in section["headings"]
    }


@cache
def _kinds() -> dict[str, Kind]:
    return {name: Kind(section["kind"]) for name, section in policy("headings")["sections"].items()}
