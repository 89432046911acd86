"""Telephone numbers in words, as voices and dictations leave them. 45 CFR 164.514(b)(2)(i)(D)."""

from __future__ import annotations

import re
from typing import Final

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser

_DIGIT: Final = r"(?:zero|oh|one|two|three|four|five|six|seven|eight|nine)"


class PhoneInWords(PatternRecogniser):
    """Seven names of digits or more in a row, "double" and "hundred" among them: nothing else is told so."""

    category = Category.PHONE
    score = 0.85
    pattern = re.compile(
        rf"\b(?P<phi>(?:area\scode\s)?{_DIGIT}(?:(?:,?\s|-|,\s?dash\s|\sdash\s)"
        rf"(?:(?:double|triple)\s)?(?:{_DIGIT}|hundred)){{6,14}})\b",
        re.IGNORECASE,
    )
