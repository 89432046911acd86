"""Telephone numbers as other countries write them. 45 CFR 164.514(b)(2)(i)(D)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser
from curbside_deidentification.recognisers.writing.labels import digits


class NationalPhone(PatternRecogniser):
    """ITU-T E.123, national notation:

    the trunk prefix 0 or an area code in brackets, then groups of digits.
    """

    category = Category.PHONE
    score = 0.8
    pattern = re.compile(
        r"(?<![\w.,/-])(?P<phi>(?:\(0?\d{1,4}\)[ -]?|"
        r"0\d{1,4}[ -])\d{2,8}(?:[ -]\d{2,4}){0,4})(?![\w%-]|[.,/]\d)"
    )

    def valid(self, match: re.Match[str]) -> bool:
        return 8 <= len(digits(match["phi"])) <= 12
