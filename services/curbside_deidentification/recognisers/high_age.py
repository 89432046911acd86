"""Ages of 90 and over. 45 CFR 164.514(b)(2)(i)(C)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser
from curbside_deidentification.recognisers.writing.dates import NINETIES, NINETY_WORDS


class HighAge(PatternRecogniser):
    """Ages of 90 and over; the number goes and "-year-old" stays, since younger ages may stay too."""

    category = Category.AGE
    score = 0.95
    pattern = re.compile(
        rf"(?<![\d./])(?P<phi>{NINETIES}|{NINETY_WORDS})(?=[\s-]?(?:years?|yrs?|"
        rf"y)\b[\s-]?(?:old|of age|o\b|/o)|[\s-]?(?:yo|y/o|y\.o\.?|y\.o|YO|yof|yom)\b|"
        rf"[\s-]?year|[\s-]?yr)",
        re.IGNORECASE,
    )
