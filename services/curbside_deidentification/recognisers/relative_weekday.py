"""Weekdays that a text places: "last Tuesday", "Friday the 13th". 45 CFR 164.514(b)(2)(i)(C)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser
from curbside_deidentification.recognisers.writing.alternatives import by_initial

_DAY = rf"{by_initial('Mon|Tues|Wednes|Thurs|Fri|Satur|Sun')}day"
_SHORT = r"(?:(?-i:Mon|Tues?|Weds?|Thu(?:rs?)?|Fri|Sat|Sun|MON|TUES?|WEDS?|THU(?:RS?)?|FRI|SAT|SUN)\b)"
_PART = r"(?:morning|night|evening|afternoon)"


class RelativeWeekday(PatternRecogniser):
    """A weekday next to a word that tells which one; with the report's date it is a date.

    A bare weekday stays.
    """

    category = Category.DATE
    score = 0.8
    pattern = re.compile(
        rf"\b(?P<phi>(?:last|this|this\spast|this\scoming|past|next|coming|following|previous)\s"
        rf"(?:{_DAY}\b|{_SHORT})|"
        rf"{_DAY}(?:\s{_PART})?\s(?:last|next|before\slast|(?:(?:a|one|two)\s)?weeks?\sago|after\snext|"
        r"(?:of\s)?(?:last|this|next)\sweek)\b|"
        rf"(?:{_DAY}|{_SHORT}),?\s{{1,2}}(?:the\s)?(?:[12]?\d|3[01])(?:st|nd|rd|th)\b|"
        rf"(?:a|one|two)\sweeks?\sago\s(?:on\s)?{_DAY}\b)",
        re.IGNORECASE,
    )
