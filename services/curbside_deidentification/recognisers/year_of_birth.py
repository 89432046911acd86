"""Years of birth that tell an age of 90 or more. 45 CFR 164.514(b)(2)(i)(C)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from curbside.phi import Category
from curbside_deidentification.domain.lexicon import Lexicon
from curbside_deidentification.domain.patterns import PatternRecogniser
from curbside_deidentification.domain.spans import Span
from curbside_deidentification.domain.written import HIGH_AGE, was_replaced
from curbside_deidentification.recognisers.age_by_birthday import AgeByBirthday
from curbside_deidentification.recognisers.age_in_apposition import AgeInApposition
from curbside_deidentification.recognisers.age_in_decades import AgeInDecades
from curbside_deidentification.recognisers.age_in_months import AgeInMonths
from curbside_deidentification.recognisers.age_told import AgeTold
from curbside_deidentification.recognisers.age_with_sex import AgeWithSex
from curbside_deidentification.recognisers.high_age import HighAge
from curbside_deidentification.recognisers.labelled_high_age import LabelledHighAge

_YEAR: Final = re.compile(r"(?<!\d)(?:18|19|20)\d\d(?=(?:0[1-9]|1[0-2])[0-3]\d(?!\d)|(?!\d))")
# "3/4/24", "'24": of this century where it is not about to be over half.
_SHORT_YEAR: Final = re.compile(r"(?:(?<!\d)\d{1,2}[/.-]\d{1,2}[/.-]|(?<!\w)['’])(\d\d)(?![\w/.-])")
_CENTURY: Final = 40
_HIGH_AGE: Final = 90
# Where an age of 90 or more is told, a report need not name the year that it was written in.
_AGE_BESIDE_A_HIGH_ONE: Final = 70
# Whoever was born before has turned 90: a report that names no other year may be of today.
_TURNED_NINETY: Final = 1936
_DATE_REMOVED: Final = "[DATE"
_HIGH_AGES: Final[tuple[PatternRecogniser, ...]] = (
    HighAge(),
    LabelledHighAge(),
    AgeWithSex(),
    AgeTold(),
    AgeInApposition(),
    AgeByBirthday(),
    AgeInDecades(),
    AgeInMonths(),
)


class YearOfBirth(PatternRecogniser):
    """Of a date the year may stay, but for "all elements of dates (including year) indicative of such age".

    What counts is the latest year that the document names, and an age of 90 or more that it tells. The age
    may be a relative's: of a year that is removed in vain, less is lost than of one that tells an age.
    """

    category = Category.AGE
    score = 0.85
    pattern = re.compile(
        r"\b(?:born(?:\s(?:in|on|about|around|circa))?|b\.|(?:birth\s?|b-?)(?:year|yr)|(?:year|yr)\s(?:of\s)?birth|"
        r"YOB|DOB|D\.O\.B\.?|date\sof\sbirth|birth\s?date|birthday)"
        r"\s{0,2}(?:[:=]|is|was|\()?\s{0,2}(?P<phi>(?:18|19)\d\d)(?!\d|[/-]\d\d?(?!\d))",
        re.IGNORECASE,
    )

    def find(self, text: str, lexicon: Lexicon | None = None) -> Iterator[Span]:
        born = list(super().find(text, lexicon))
        if not born:
            return
        youngest = _youngest(text, born)
        yield from (span for span in born if int(text[span.start : span.end]) <= youngest)


def _youngest(text: str, born: list[Span]) -> int:
    """The last year of birth that tells a high age, or may."""
    places = {span.start for span in born}
    years = [int(year[0]) for year in _YEAR.finditer(text) if year.start() not in places]
    years += [
        int(year[1]) + (2000 if int(year[1]) < _CENTURY else 1900) for year in _SHORT_YEAR.finditer(text)
    ]
    # A report that was de-identified before: its ages and years were there when its births were weighed.
    before = was_replaced(text)
    told = any(
        not (before and HIGH_AGE.match(text, span.start))
        for recogniser in _HIGH_AGES
        for span in recogniser.find(text)
    )
    if years:
        latest = max(years)
        return max(latest - _AGE_BESIDE_A_HIGH_ONE, _TURNED_NINETY) if told else latest - _HIGH_AGE
    return _TURNED_NINETY if told or _DATE_REMOVED not in text else 0
