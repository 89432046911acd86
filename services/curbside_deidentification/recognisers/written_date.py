"""Dates with the month in letters. 45 CFR 164.514(b)(2)(i)(C)."""

from __future__ import annotations

import re
from typing import Final

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser
from curbside_deidentification.recognisers.writing.dates import (
    DAY,
    DAY_WORD,
    MONTH,
    TIME,
    WEEKDAY,
    WEEKDAY_NAME,
    YEAR,
    YEAR_WORDS,
)

_MORE_DAYS: Final = rf"(?:\s?(?:-|–|to|through|thru|and|&|or|,(?:\sand)?)\s?(?:the\s)?{DAY}(?![\d:/.]))"
_MONTH: Final = re.compile(MONTH, re.IGNORECASE)
# Months that are other words, or abbreviations of them: MAR is the medication administration record.
_AMBIGUOUS: Final = frozenset(("may", "march", "mar", "dec", "sep"))
_PLACING: Final = re.compile(
    r"(?:\b(?:on|by|since|until|till|from|before|after|in|of|to|through|around|about|dated?|born|dob|and|was|"
    r"lmp|rx|"
    r"surgery|seen|here|opened|closed|refilled|visit|appointment|admitted|discharged|started|due|early|late|mid|next|last|this)\W{0,3}|"
    r"[:|(])\s*$",
    re.IGNORECASE,
)
# "27MAR" on a bottle, "THU DEC 14" on a board.
_TIGHT: Final = re.compile(r"\d\d[A-Z]{3}(?![A-Za-z])")
_WEEKDAY: Final = re.compile(rf"{WEEKDAY_NAME}[.,]{{0,2}}\s", re.IGNORECASE)
_SURE: Final = re.compile(r"(?:19|20)\d\d|['’]\d\d|\d(?:st|nd|rd|th)\b|\bof\b|[-/]|[a-z]{4,}", re.IGNORECASE)


class WrittenDate(PatternRecogniser):
    """A month in letters with a day, a year or both, in either order: "12-Apr-2023", "April 12th, '23"."""

    category = Category.DATE
    score = 0.95
    pattern = re.compile(
        r"(?<!\w)(?<!\d[./-])(?P<phi>"
        rf"{WEEKDAY}{MONTH}\b\.?(?:[\s-]{{0,2}}|/)(?:the\s)?(?:{DAY}|{DAY_WORD}\b)(?![\d%]|/\d(?!\d)|\.\d|"
        rf"\s?(?:mg|mL|cm|mm)\b)(?:{_MORE_DAYS}{{0,3}}(?:,?[\s-]?\s?(?:of\s|in\s)?{YEAR}\b|[-/](?:(?:19|"
        rf"20)?\d\d)\b)"
        rf"|,?\s(?:of\s|in\s)?{YEAR_WORDS}|{_MORE_DAYS}{{0,3}}){TIME}|"
        # As printed forms set it apart: "4 - Mar - 2022", "Mar / 4 / 2022", "2022 - Mar - 04".
        rf"(?:{DAY}\s?[-/.–]\s?{MONTH}|{MONTH}\s?[-/.–]\s?{DAY})\.?\s?[-/.–]\s?"
        rf"(?:(?:19|20)\d\d|['’]?\d\d)\b(?!\s?[-/.]\s?\d){TIME}|"
        rf"(?:19|20)\d\d\s?[-/.–]\s?{MONTH}\s?[-/.–]\s?\d\d?\b|"
        rf"{WEEKDAY}(?:{DAY}{_MORE_DAYS}{{0,3}}|"
        rf"{DAY_WORD})(?:[\s-]{{0,2}}|[./])(?:(?:day\s)?of\s)?{MONTH}(?![a-z])\.?"
        rf"(?:,?[\s-]?{YEAR}\b|[-/.]?\d{{2,4}}\b|,?\s{YEAR_WORDS})?{TIME}|"
        rf"(?:19|20)\d\d(?P<sep>[-/ ]){MONTH}(?P=sep)\d\d\b|"
        rf"(?:mid-)?{MONTH}\b\.?(?:(?:,?\s(?:of\s)?|-|/)?{YEAR}\b|,?\s(?:of\s)?{YEAR_WORDS}|[-/]\d\d\b)"
        r")",
        re.IGNORECASE,
    )

    def valid(self, match: re.Match[str]) -> bool:
        """ "may 2 tablets" is no date, "May 2" is; in capitals "MAY 2" may be either."""
        month = _MONTH.search(match[0])
        if month is None or month[0].casefold() not in _AMBIGUOUS:
            return True
        if not month[0].islower() and not month[0].isupper():
            return True
        if _TIGHT.match(match[0]) or _WEEKDAY.match(match[0]):
            return True
        rest = match[0][: month.start()] + match[0][month.end() :]
        before = match.string[max(0, match.start() - 16) : match.start()]
        return _SURE.search(rest) is not None or _PLACING.search(before) is not None
