"""Dates without separators. 45 CFR 164.514(b)(2)(i)(C)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser


class CompactDate(PatternRecogniser):
    """ISO 8601 basic format and the HL7 v2 time stamp: 20230412, 20230412143000."""

    category = Category.DATE
    score = 0.85
    pattern = re.compile(
        r"(?<![\w.-])(?P<phi>(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|"
        r"3[01])(?:[0-2]\d[0-5]\d(?:[0-5]\d)?)?)(?![\w-])"
    )
