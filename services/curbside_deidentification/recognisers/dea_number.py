"""DEA registration numbers by their check digit. 45 CFR 164.514(b)(2)(i)(K)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser


class DeaNumber(PatternRecogniser):
    """DEA registration number with its check digit. 21 CFR 1301.13; DEA, "Validating DEA numbers"."""

    category = Category.LICENSE
    pattern = re.compile(r"\b[A-HJ-NPR-UX][A-Z9]\d{7}\b")

    def valid(self, match: re.Match[str]) -> bool:
        number = [int(digit) for digit in match[0][2:]]
        return (sum(number[0:6:2]) + 2 * sum(number[1:6:2])) % 10 == number[6]
