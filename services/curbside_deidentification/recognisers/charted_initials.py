"""Initials of staff in a chart: "placed by KO with ease", "report to KO at 0700". 45 CFR 164.514(b)(2)(i)(A).

In a text of nobody "KO" is an abbreviation of something. In a note that names its patient and its days,
whoever placed, took over, was told or looks after somebody is a member of the staff, and two letters there
are theirs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from curbside.phi import Category
from curbside_deidentification.domain.explained import explained
from curbside_deidentification.domain.lexicon import Lexicon
from curbside_deidentification.domain.name_words import words
from curbside_deidentification.domain.spans import MODELS, Span
from curbside_deidentification.recognisers.writing.charts import (
    CAPITALS,
    LIKELY,
    LIST,
    OF_LIST,
    ROWS,
    SMALL,
    STEP,
    SURE,
    WORD,
)
from curbside_deidentification.recognisers.writing.initials import NO_INITIALS, THINGS, is_known, is_listed

_FINDINGS: Final = NO_INITIALS | words("short_findings")
# Words that are none where the line is written in small letters: "placed by AS at 0700".
_WORDS: Final = words("short_words")
_LETTERS: Final = 2
# So many identifiers make a note of somebody.
_LEAST: Final = 3
_MANY: Final = 2


def charted_initials(text: str, found: Iterable[Span], lexicon: Lexicon) -> Iterator[Span]:
    """Two or three letters, no unit, trade or word, where a member of the staff stands, if `found` says that
    `text` is of a certain patient."""
    if sum(span.recogniser not in MODELS for span in found) < _LEAST:
        return
    meant = {one.casefold() for one in explained(text)}
    for line in re.finditer(r"[^\r\n]+", text):
        if CAPITALS.search(line[0]):
            yield from _in_line(text, line, meant, lexicon)
        for match in SMALL.finditer(text, line.start(), line.end()):
            two = len(match["small"]) == _LETTERS
            if not two and not match["deed"] and text[match.start("small") - 2].isalpha():
                continue  # a clipped word: "thx"
            if not (is_known if match["deed"] and two else is_listed)(match["small"], lexicon):
                yield _span(match, "small")


def _in_line(text: str, line: re.Match[str], meant: set[str], lexicon: Lexicon) -> Iterator[Span]:
    small = WORD.search(line[0]) is not None
    for pattern in (*SURE, *LIKELY):
        for match in pattern.finditer(text, *line.span()):
            yield from _of(match, meant, lexicon, sure=pattern in SURE, small=small)
    for match in LIST.finditer(text, *line.span()):
        people = [*OF_LIST.finditer(match["list"])]
        if any(_likely(one[0].casefold(), lexicon, sure=True, small=small) for one in people):
            for one in people:
                if one[0].casefold() not in NO_INITIALS:
                    yield _span(match, "list", one.span())
    for pattern in ROWS:
        row = [*pattern.finditer(text, *line.span())]
        if len(row) >= _MANY:
            for match in row:
                yield from _of(match, meant, lexicon, sure=pattern is STEP, small=small)


def _of(
    match: re.Match[str], meant: set[str], lexicon: Lexicon, *, sure: bool, small: bool
) -> Iterator[Span]:
    parts = {group: one.casefold() for group, one in match.groupdict().items() if one}
    likely = {
        group
        for group, bare in parts.items()
        if bare not in meant and _likely(bare, lexicon, sure=sure, small=small)
    }
    if likely:
        # Of several who did it together one may be anything but a trade.
        for group, bare in parts.items():
            if group in likely or bare not in NO_INITIALS:
                yield _span(match, group)


def _likely(bare: str, lexicon: Lexicon, *, sure: bool, small: bool) -> bool:
    """`sure`: hardly anything but a person stands there; `small`: amid small letters."""
    if len(bare) == _LETTERS:
        none = NO_INITIALS if sure else _FINDINGS
        return bare not in (none - _WORDS if sure and small else none)
    if sure:
        return bare not in THINGS if small else not is_known(bare, lexicon)
    return not is_listed(bare, lexicon)


def _span(match: re.Match[str], group: str, inside: tuple[int, int] | None = None) -> Span:
    start, end = match.span(group)
    if inside is not None:
        start, end = start + inside[0], start + inside[1]
    return Span(start, end, Category.NAME, 0.7, "ChartedInitials")
