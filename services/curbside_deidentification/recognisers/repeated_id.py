"""Numbers found once by their label are found everywhere in the document. 45 CFR 164.514(b)(2)(i)(R)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from curbside.phi import Category
from curbside_deidentification.domain.spans import Span

_IDENTIFIERS: Final = frozenset(Category) - {
    Category.NAME,
    Category.LOCATION,
    Category.FACILITY,
    Category.DATE,
    Category.AGE,
}
_SHORTEST: Final = 5
_ENDS: Final = re.compile(r"^\W+|\W+$")


def repeated_ids(text: str, found: Iterable[Span]) -> Iterator[Span]:
    """Further mentions of identifiers already found, of five characters or more with a digit among them.

    A pathology report labels its case number once, and later says "see also" and the number.
    """
    values: dict[str, Category] = {}
    for span in found:
        if span.category in _IDENTIFIERS and span.end - span.start >= _SHORTEST:
            value = _ENDS.sub("", text[span.start : span.end])
            if len(value) >= _SHORTEST and any(character.isdigit() for character in value):
                values.setdefault(value, span.category)
    for value, category in values.items():
        start = text.find(value)
        while start >= 0:
            end = start + len(value)
            if not (text[start - 1 : start].isalnum() or text[end : end + 1].isalnum()):
                yield Span(start, end, category, 0.7, "RepeatedId")
            start = text.find(value, end)
