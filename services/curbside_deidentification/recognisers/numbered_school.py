"""Public schools by their number: "P.S. 114". 45 CFR 164.514(b)(2)(i)(B)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser


class NumberedSchool(PatternRecogniser):
    """With full stops; without them "PS 10" is a ventilator's, unless somebody goes there to learn."""

    category = Category.FACILITY
    score = 0.85
    pattern = re.compile(
        r"(?<![\w.])(?:(?=(?:P|I|M|J\.?H)\.S\.)|(?i:attends|attended|attending|goes[ ]to|"
        r"enrolled[ ](?:at|in)|student[ ]at|grade[ ](?:at|in)|teaches[ ]at|teacher[ ]at|school:)[ ])"
        r"(?P<phi>(?:P|I|M|J\.?H)\.?S\.?[ ]?#?[1-9]\d{0,2})(?![\w/]|[.,]\d)"
    )
