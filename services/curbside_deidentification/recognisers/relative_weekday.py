"""Weekdays that a text places: "last Tuesday", "Tuesday last week". 45 CFR 164.514(b)(2)(i)(C)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser

_DAY = r"(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day"


class RelativeWeekday(PatternRecogniser):
    """A weekday next to a word that tells which one; with the report's date it is a date.

    A bare weekday stays.
    """

    category = Category.DATE
    score = 0.8
    pattern = re.compile(
        rf"\b(?P<phi>(?:last|this|this past|this coming|past|next|coming)\s{_DAY}|"
        rf"{_DAY}(?:\s(?:morning|night|evening|"
        rf"afternoon))?\s(?:last|next|before last|a week ago|after next|(?:of\s)?(?:last|this|"
        rf"next)\sweek))\b",
        re.IGNORECASE,
    )
