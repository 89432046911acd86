"""From one month and day to another: "3/2 to 3/9". 45 CFR 164.514(b)(2)(i)(C)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from curbside.phi import Category
from curbside_deidentification.domain.lexicon import Lexicon
from curbside_deidentification.domain.patterns import PatternRecogniser
from curbside_deidentification.domain.spans import Span
from curbside_deidentification.recognisers.writing.days import NO_MEASURE, is_measured, is_range

_DAY: Final = r"(?:0?[1-9]|1[0-2])/(?:0?[1-9]|[12]\d|3[01])"
_YEAR: Final = r"/(?:(?:19|20)\d\d|\d\d)(?!\d)"


class MonthAndDayRange(PatternRecogniser):
    """Two of them with "to" or a dash between, or one with a second day; the year may stand at the end."""

    category = Category.DATE
    score = 0.85
    pattern = re.compile(
        rf"(?<![\w./+-])(?P<first>{_DAY})"
        r"(?:\s?(?P<dash>[-–—])\s?|\s?(?:to|thru|through|until|till)\s?|\s(?:and|&)\s)"
        rf"(?:(?P<second>{_DAY})(?:(?P<year>{_YEAR})|(?![\d/]))|(?P<day>[12]\d|3[01]|"
        rf"0?[1-9])(?P<year2>{_YEAR})|"
        r"(?<=\d[-–—])(?P<till>[12]\d|3[01])(?![\d/:]))"
        rf"(?![\w%+-]|\.\d){NO_MEASURE}",
        re.IGNORECASE,
    )

    def valid(self, match: re.Match[str]) -> bool:
        if match["year"] or match["year2"]:
            return True
        if match["till"]:
            first = match["first"].partition("/")[2]
            return int(first) < int(match["till"]) and not is_measured(match.string, match.start())
        return is_range(match["first"], match["second"]) and not is_measured(match.string, match.start())

    def find(self, text: str, lexicon: Lexicon | None = None) -> Iterator[Span]:
        """Both days without the word between them; with a dash they are one mention."""
        for span in super().find(text, lexicon):
            match = self.pattern.match(text, span.start)
            if match is None or match["dash"]:
                yield span
            else:
                second = match.start("second") if match["second"] else match.start("day")
                yield replace(span, end=match.end("first"))
                yield replace(span, start=second)
