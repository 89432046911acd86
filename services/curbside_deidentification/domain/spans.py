"""Spans of PHI: how overlapping ones become one, and how they are replaced with exact bookkeeping."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from curbside.phi import Category


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """One mention: `text[start:end]` in Unicode code points, and who found it how surely (0 to 1)."""

    start: int
    end: int
    category: Category
    score: float
    recogniser: str


# The recognisers that are models: what they say of one token by itself proves little.
MODELS: Final = ("Statistical", "Contextual")
# The recogniser of what is too unlikely to be removed, a token each, and is weighed for the risk alone.
SUSPECTED: Final = "Suspected"


def resolve(spans: Iterable[Span], text: str) -> list[Span]:
    """Disjoint spans in order that together cover everything any of `spans` covers.

    Overlapping spans become one: a character that some recogniser holds for PHI is never given back because
    another recogniser saw less. The surest span names the category, the longest where they are equally sure.
    White space at the ends is left out.
    """
    resolved: list[Span] = []
    group: list[Span] = []
    for span in sorted(spans):
        if group and span.start >= max(member.end for member in group):
            resolved.extend(_united(group, text))
            group = []
        group.append(span)
    if group:
        resolved.extend(_united(group, text))
    return resolved


def _united(group: Sequence[Span], text: str) -> Iterator[Span]:
    start, end = min(span.start for span in group), max(span.end for span in group)
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    if start < end:
        surest = max(group, key=lambda span: (span.score, span.end - span.start))
        yield replace(surest, start=start, end=end)


def substitute(text: str, spans: Sequence[Span], placeholders: Mapping[Category, str]) -> str:
    """`text` with each of `spans` (disjoint, in order) replaced; everything between them is unchanged."""
    pieces: list[str] = []
    reached = 0
    for span in spans:
        if span.start < reached:
            raise ValueError("spans to substitute are disjoint and in order")
        pieces += (text[reached : span.start], placeholders[span.category])
        reached = span.end
    return "".join((*pieces, text[reached:]))


def count_by_category(spans: Iterable[Span]) -> dict[str, int]:
    return dict(sorted(Counter(span.category.value for span in spans).items()))
