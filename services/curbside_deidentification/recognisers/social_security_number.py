"""Social security numbers, whole or masked. 45 CFR 164.514(b)(2)(i)(G)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser


class SocialSecurityNumber(PatternRecogniser):
    """Social security number, (G): hyphens, points or spaces, whole or masked, and with the letter that
    Medicare put behind it until 2018. SSA, "Social Security Number Randomization", 2011. Numbers that were
    never issued go as well: in a report they are typing errors of real ones."""

    category = Category.SSN
    pattern = re.compile(
        r"(?<![\w-])(?P<phi>(?:\d{3}|[Xx*•]{3})[-\u2010-\u2013 ](?:\d{2}|"
        r"[Xx*•]{2})[-\u2010-\u2013 ]\d{4}(?:-?[A-Z]\d?)?|"
        r"\d{3}\s?-\s{0,2}\d{2}\s?-\s{0,2}\d{4}|"
        r"\d \d \d\s{0,2}-\s{0,2}\d \d\s{0,2}-\s{0,2}\d \d \d \d|"
        r"\d{3}\.\d{2}\.\d{4})(?![\w-]|\.\d)"
    )
    score = 0.97
