"""Dates with the month in letters. 45 CFR 164.514(b)(2)(i)(C)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser
from curbside_deidentification.recognisers.writing.dates import DAY, DAY_WORD, MONTH, TIME, WEEKDAY, YEAR


class WrittenDate(PatternRecogniser):
    """A month in letters with a day, a year or both, in either order: "12-Apr-2023", "April 12th, '23"."""

    category = Category.DATE
    score = 0.95
    pattern = re.compile(
        r"(?<![\w])(?P<phi>"
        rf"{WEEKDAY}{MONTH}\b\.?[\s-]{{0,2}}(?:the\s)?(?:{DAY}|{DAY_WORD})(?![\d/%]|\.\d|"
        rf"\s?(?:mg|mL|cm|mm)\b)(?:\s?(?:-|–|to|and|"
        rf"&)\s?{DAY}(?![\d]))?(?:(?:,?[\s-]?\s?(?:of\s)?){YEAR}\b)?{TIME}|"
        rf"{WEEKDAY}(?:{DAY}|"
        rf"{DAY_WORD})[\s-]{{0,2}}(?:(?:day\s)?of\s)?{MONTH}(?![a-z])\.?(?:,?[\s-]?{YEAR}\b|"
        rf"\d{{2,4}}\b|-\d\d\b)?{TIME}|"
        rf"{MONTH}\b\.?(?:,?\s(?:of\s)?|-|/)?{YEAR}\b"
        r")",
        re.IGNORECASE,
    )

    def valid(self, match: re.Match[str]) -> bool:
        # "may 2 tablets" is no date, "May 2" is; "mar" and "sun" in lower case are other words.
        month = re.search(MONTH, match[0], re.IGNORECASE)
        return (
            month is None or not month[0].islower() or month[0] not in ("may", "march", "mar", "dec", "sep")
        )
