"""What a policy wrote into a text stays as it is when the text is read again: it is nobody's.

A text may come twice: an answer is pasted, a source sends what was de-identified before. Twice is then once.
`[NAME]`, `[NAME_2]`, "90 or older" and the state and ZIP digits behind a place are no part of a mention.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from typing import Final

from curbside.phi import PLACEHOLDER, Category
from curbside_deidentification.domain.replacement.words import states
from curbside_deidentification.domain.spans import MODELS, Span

# What stands for every age over 89.
HIGH_AGE: Final = re.compile(r"\b90 or older", re.IGNORECASE)
# Years that a policy let stay, a few in a row.
_YEARS: Final = re.compile(r"(?:19|20)\d{2}(?:[\s,/-]{1,3}(?:19|20)\d{2})*")
_WORDS: Final = frozenset({Category.NAME, Category.LOCATION, Category.FACILITY})
# A letter beside a placeholder is no mention of its own.
_LEAST: Final = 2


def was_replaced(text: str) -> bool:
    """Whether some policy replaced mentions in `text`."""
    return "[" in text and PLACEHOLDER.search(text) is not None


def outside(spans: Iterable[Span], text: str) -> list[Span]:
    """`spans` without what a policy wrote. What of one stands beside it stays one where it says something."""
    places = _places(text)
    if not places:
        return list(spans)
    replaced = was_replaced(text)
    kept: list[Span] = []
    for span in spans:
        pieces = [*_around(span, places)]
        if replaced and pieces == [span] and _is_year(span, text):
            continue
        kept += pieces if pieces == [span] else [piece for piece in pieces if _says(piece, text)]
    return kept


def _places(text: str) -> list[tuple[int, int]]:
    """What a policy wrote, in order."""
    found = [match.span() for match in HIGH_AGE.finditer(text)]
    if was_replaced(text):
        found += [match.span() for match in _generalised().finditer(text)]
    return sorted(found)


@cache
def _generalised() -> re.Pattern[str]:
    """A placeholder, with the state and the first digits of a ZIP code that may stay; these also alone."""
    names = "|".join(sorted(map(re.escape, states()), key=len, reverse=True))
    codes = "|".join(states().values())
    return re.compile(
        rf"{PLACEHOLDER.pattern}(?:(?<=\]), (?:{names}|{codes})\b(?:[ ]\d{{3}}(?![\d-]))?)?"
        rf"|\b(?:{names}|{codes})[ ]\d{{3}}(?![\w-])"
    )


def _around(span: Span, places: Sequence[tuple[int, int]]) -> Iterator[Span]:
    """The pieces of `span` outside of `places`."""
    start = span.start
    for begin, end in places[bisect_left(places, span.start, key=lambda place: place[1]) :]:
        if begin >= span.end:
            break
        if start < begin:
            yield replace(span, start=start, end=begin)
        start = max(start, end)
    if start < span.end:
        yield replace(span, start=start)


def _says(piece: Span, text: str) -> bool:
    written = text[piece.start : piece.end]
    characters = filter(str.isalpha if piece.category in _WORDS else str.isdigit, written)
    return sum(1 for _ in characters) >= _LEAST


def _is_year(span: Span, text: str) -> bool:
    """A year by itself tells an age or nothing. A rule that reads one as a telephone number has its label."""
    by_label = span.category in (Category.PHONE, Category.FAX) and span.recogniser not in MODELS
    if span.category is Category.AGE or by_label:
        return False
    return _YEARS.fullmatch(text, span.start, span.end) is not None
