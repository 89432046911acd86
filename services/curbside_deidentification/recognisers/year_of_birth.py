"""Years of birth that tell an age of 90 or more. 45 CFR 164.514(b)(2)(i)(C)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from curbside.phi import Category
from curbside_deidentification.domain.lexicon import Lexicon
from curbside_deidentification.domain.patterns import PatternRecogniser
from curbside_deidentification.domain.spans import Span

_YEAR: Final = re.compile(r"(?<!\d)(?:18|19|20)\d\d(?!\d)")
_HIGH_AGE: Final = 90


class YearOfBirth(PatternRecogniser):
    """Of a date the year may stay, but for "all elements of dates (including year) indicative of such age".

    What counts is the latest year that the document names.
    """

    category = Category.AGE
    score = 0.85
    pattern = re.compile(
        r"\b(?:born(?:\sin)?|birth\syear|year\sof\sbirth|YOB|birth\sdate|DOB)\s{0,2}[:=]?\s{0,2}"
        r"(?P<phi>(?:18|19)\d\d)(?![\d/-])",
        re.IGNORECASE,
    )

    def find(self, text: str, lexicon: Lexicon | None = None) -> Iterator[Span]:
        born = list(super().find(text, lexicon))
        if born:
            latest = max(map(int, _YEAR.findall(text)))
            yield from (span for span in born if int(text[span.start : span.end]) <= latest - _HIGH_AGE)
