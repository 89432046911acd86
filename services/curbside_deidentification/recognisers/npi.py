"""National provider identifiers by their check digit. 45 CFR 164.514(b)(2)(i)(K)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser
from curbside_deidentification.recognisers.writing.check_digits import luhn


class Npi(PatternRecogniser):
    """National Provider Identifier, 45 CFR 162.406: ten digits, the first 1 or 2, a Luhn check digit over the
    number with 80840 before it (CMS, "NPI Check Digit", 2004)."""

    category = Category.LICENSE
    score = 0.85
    pattern = re.compile(r"(?<![\w.-])[12]\d{9}(?![\w-]|\.\d)")

    def valid(self, match: re.Match[str]) -> bool:
        return luhn(f"80840{match[0]}")
