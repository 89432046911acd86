"""Further telephone numbers by their last figures: "203-555-0123 / 0177". 45 CFR 164.514(b)(2)(i)(D)."""

from __future__ import annotations

import re
from typing import Final

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser

_YEAR: Final = re.compile(r"(?:19|20)\d\d")


class SecondPhone(PatternRecogniser):
    """Four figures behind a whole number, or the last one or two right behind its slash. What may be a year
    has a dash before it or its use behind it."""

    category = Category.PHONE
    score = 0.85
    pattern = re.compile(
        r"\d{3}[-. )\u2010-\u2013]{1,3}\d{4}(?:\s?\([a-z ]{1,8}\)|\s[hcwm]\b)?"
        r"(?:(?:\s?[/;&,|]\s?|,?\s(?:or|and|then|alt|also)\s)(?:alt\.?\s|also\s|at\s)?(?=-?\d{4})|/(?=\d{1,2}(?!\d)))"
        r"(?P<phi>-?\d{4}(?:(?:\s?/\s?|,?\sor\s)-?\d{4}){0,2}|\d{1,2})(?![\w%/]|-\d|[.,:]\d)(?P<use>\s?\([a-z])?",
        re.IGNORECASE,
    )

    def valid(self, match: re.Match[str]) -> bool:
        return match["use"] is not None or _YEAR.fullmatch(match["phi"]) is None
