"""Social insurance numbers of Canada. 45 CFR 164.514(b)(2)(i)(R)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser
from curbside_deidentification.recognisers.writing.check_digits import luhn
from curbside_deidentification.recognisers.writing.labels import digits


class SocialInsuranceNumber(PatternRecogniser):
    """Nine digits in threes, the last a Luhn check digit.

    Employment and Social Development Canada, SIN code.
    """

    category = Category.OTHER_ID
    score = 0.85
    pattern = re.compile(r"(?<![\w.,-])[1-79]\d{2}([ -])\d{3}\1\d{3}(?![\w-]|[.,]\d)")

    def valid(self, match: re.Match[str]) -> bool:
        return luhn(digits(match[0]))
