"""Payment card numbers by their check digit: account numbers. 45 CFR 164.514(b)(2)(i)(J)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser
from curbside_deidentification.recognisers.writing.check_digits import luhn
from curbside_deidentification.recognisers.writing.labels import digits


class PaymentCard(PatternRecogniser):
    """ISO/IEC 7812-1: industry identifier 2 to 6 first, 13 to 19 digits, a Luhn check digit last."""

    category = Category.ACCOUNT
    score = 0.95
    pattern = re.compile(
        r"(?<![\w.-])[2-6]\d{3}(?:[- ]?\d{4}){2}[- ]?\d{1,7}(?![\w-]|\.\d)|"
        r"(?<![\w.-])3\d{3}[- ]\d{6}[- ]\d{5}(?![\w-])"
    )

    def valid(self, match: re.Match[str]) -> bool:
        return luhn(digits(match[0]))
