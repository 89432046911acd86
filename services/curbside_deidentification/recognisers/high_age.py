"""Ages of 90 and over. 45 CFR 164.514(b)(2)(i)(C)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser
from curbside_deidentification.recognisers.writing.dates import NINETY_WORDS, SCANNED_NINETIES


class HighAge(PatternRecogniser):
    """Ages of 90 and over; the number goes and "-year-old" stays, since younger ages may stay too."""

    category = Category.AGE
    score = 0.95
    pattern = re.compile(
        rf"(?<![\d./])\b0?(?P<phi>{SCANNED_NINETIES}(?:\.\d|\s?½|\s1/2)?|{NINETY_WORDS}|"
        rf"hundred(?=[- ]year[- ]old\b))(?=\s{{0,2}}[-–]?\s?(?:years?|yrs?|"
        rf"y)\b[\s-]?(?:old|of\sage|o\b|/o)|[\s-]{{0,2}}(?:y\.?/?o\.?[mf]?|years?|yrs?)(?![a-z])|[Yy]\b)",
        re.IGNORECASE,
    )
