"""Telephone numbers before what they are for: "467 3395 office". 45 CFR 164.514(b)(2)(i)(D)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser
from curbside_deidentification.recognisers.writing.labels import digits


class PhoneWithUse(PatternRecogniser):
    """Groups of digits with a word for the line behind them."""

    category = Category.PHONE
    score = 0.85
    pattern = re.compile(
        r"(?<![\w.,/-])(?P<phi>[+(]?\d[\d ()-]{5,18}\d)(?=[ ]?[-–(\\,]{0,3}[ ]?(?:office|fax|cell|"
        r"mobile|home|work|pager|direct)\b)",
        re.IGNORECASE,
    )

    def valid(self, match: re.Match[str]) -> bool:
        return 7 <= len(digits(match["phi"])) <= 15
