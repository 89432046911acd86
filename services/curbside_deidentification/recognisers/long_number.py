"""Numbers that are longer than any measurement. 45 CFR 164.514(b)(2)(i)(R)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser


class LongNumber(PatternRecogniser):
    """Seventeen digits or more: shorter ones are `BareId`."""

    category = Category.OTHER_ID
    score = 0.8
    pattern = re.compile(r"(?<![\w.])\d{17,40}(?![\w.]\d)")
