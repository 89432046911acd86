"""Days found once as "3/15" are found everywhere in the document. 45 CFR 164.514(b)(2)(i)(C)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from curbside.phi import Category
from curbside_deidentification.domain.spans import Span
from curbside_deidentification.recognisers.writing.days import MONTH_DAY, NO_MEASURE, is_measured

_FIGURES: Final = re.compile(rf"(?<![\w./+-])(?P<phi>{MONTH_DAY}){NO_MEASURE}", re.IGNORECASE)
_FOUND: Final = re.compile(r"(?<![\d/])(?P<month>0?[1-9]|1[0-2])/(?P<day>\d{1,2})(?!\d)")
_STRENGTH: Final = 5  # strengths are told of five, reflexes and pulses of four


def repeated_days(text: str, found: Iterable[Span]) -> Iterator[Span]:
    """Further days of months in which the document has one for sure: "3/2 ERCP" in a note of 3/15.

    The same figures, or another day of that month. "3/5" and "2/2" may be strengths and reflexes: they count
    where just they were found.
    """
    figures: set[str] = set()
    months: set[str] = set()
    for span in found:
        if span.category is Category.DATE:
            for match in _FOUND.finditer(text, span.start, span.end):
                figures.add(match[0])
                months.add(match["month"].lstrip("0"))
    if not months:
        return
    for match in _FIGURES.finditer(text):
        month, day = match["phi"].split("/")
        graded = int(month) <= int(day) <= _STRENGTH
        sure = match["phi"] in figures or (month.lstrip("0") in months and not graded)
        if sure and not is_measured(text, match.start()):
            yield Span(*match.span("phi"), Category.DATE, 0.65, "RepeatedDay")
