"""Numbers of which the beginning is masked: "XXXX-1234". 45 CFR 164.514(b)(2)(i)(G) and (J)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser


class MaskedNumber(PatternRecogniser):
    """What is left of a number: of a card the last four digits, by PCI DSS 4.0, 3.4."""

    category = Category.ACCOUNT
    score = 0.85
    pattern = re.compile(
        r"(?<![\w*•#-])(?P<phi>(?:\d{4}[- ]?)?(?:[Xx]{2,16}|[*•#]{2,16})(?:[- ](?:[Xx]{2,16}|"
        r"[*•#]{2,16})){0,4}"
        r"[- ]?\d{3,6})(?![\w%]|[.:/-]\d)"
    )
