"""Ages of 90 years and over in months. 45 CFR 164.514(b)(2)(i)(C)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser


class AgeInMonths(PatternRecogniser):
    """1,080 months are 90 years; nothing but a life lasts so many."""

    category = Category.AGE
    score = 0.9
    pattern = re.compile(r"(?<![\d.,])(?P<phi>1,?[0-5]\d\d)(?=\s?-?\s?(?:months?|mos?)\b)", re.IGNORECASE)

    def valid(self, match: re.Match[str]) -> bool:
        return int(match["phi"].replace(",", "")) >= 90 * 12
