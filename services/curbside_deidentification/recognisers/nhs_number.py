"""NHS numbers of England, Wales and the Isle of Man. 45 CFR 164.514(b)(2)(i)(R)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser
from curbside_deidentification.recognisers.writing.labels import digits


class NhsNumber(PatternRecogniser):
    """Ten digits, the last a check digit modulo 11. NHS Data Dictionary, "NHS Number"."""

    category = Category.OTHER_ID
    score = 0.9
    pattern = re.compile(r"(?<![\w.-])\d{3}[ -]?\d{3}[ -]?\d{4}(?![\w-]|\.\d)")

    def valid(self, match: re.Match[str]) -> bool:
        number = [int(digit) for digit in digits(match[0])]
        check = (
            11 - sum(weight * digit for weight, digit in zip(range(10, 1, -1), number[:9], strict=True)) % 11
        )
        return check % 11 == number[9]
