"""Telephone numbers by their form. 45 CFR 164.514(b)(2)(i)(D)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser
from curbside_deidentification.recognisers.writing.labels import digits


class Phone(PatternRecogniser):
    """North American numbers with area code, and international ones, (D). ITU-T E.164; NANPA."""

    category = Category.PHONE
    pattern = re.compile(
        r"(?<![\w.-])(?P<phi>(?:\+?1[-. ]?)?(?:\(\d{3}\)\s?|"
        r"\d{3}[-. /])\d{3}[-. ]\d{4}(?:\s*(?:x|ext\.?|extension)\s*\d{1,6})?|"
        r"\+\d{1,3}(?:[-. ]?\(?\d{1,5}\)?){2,5})(?![\w-])",
        re.IGNORECASE,
    )
    score = 0.95

    def valid(self, match: re.Match[str]) -> bool:
        return len(digits(match["phi"])) >= 9
