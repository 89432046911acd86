"""Identity numbers of Spain, DNI and NIE. 45 CFR 164.514(b)(2)(i)(R)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser


class SpanishIdentityNumber(PatternRecogniser):
    """Eight digits, or X, Y or Z and seven, and a letter modulo 23. Real Decreto 1553/2005, article 11."""

    category = Category.OTHER_ID
    score = 0.9
    pattern = re.compile(r"(?<![\w-])(?P<number>[XYZ]?\d{7,8})-?(?P<letter>[A-HJ-NP-TV-Z])(?![\w-])")

    def valid(self, match: re.Match[str]) -> bool:
        number = match["number"].translate(str.maketrans("XYZ", "012"))
        return len(number) == 8 and "TRWAGMYFPDXBNJZSQVHLCKE"[int(number) % 23] == match["letter"]
