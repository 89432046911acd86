"""Initials of who dictated and who typed: "JD:mt". 45 CFR 164.514(b)(2)(i)(A)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser


class TypistInitials(PatternRecogniser):
    """A line of capitals, a colon or a slash, small letters, and perhaps a job number:

    the end of a dictation.
    """

    category = Category.NAME
    score = 0.85
    pattern = re.compile(
        r"(?m:^)[ \t]{0,8}(?P<phi>[A-Z]{2,4}[:/][a-z]{2,4}(?:[:/]?\d{1,10})?)[ \t]{0,8}(?m:$)"
    )

    def valid(self, match: re.Match[str]) -> bool:
        # A unit of measurement by itself in a line.
        return not match["phi"].endswith(("/dl", "/min", "/hpf", "/kg", "/ml", "/day", "/hr"))
