"""Dates with the month in Roman numerals: "17-X-24". 45 CFR 164.514(b)(2)(i)(C)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser


class RomanDate(PatternRecogniser):
    """As central Europe, Latin America and military forms write it, the day first."""

    category = Category.DATE
    score = 0.88
    pattern = re.compile(
        r"(?<![\w./-])(?P<phi>(?:0?[1-9]|[12]\d|3[01])(?P<between>[-/]|\.[ ]?)(?:VI{0,3}|I[VX]|I{1,3}|"
        r"XI{0,2})(?P=between)(?:(?:19|20)\d\d|['’]?\d\d))(?![\w/-]|\.\d)"
    )
