"""Names spelt letter by letter: "V-A-N-T-E-R-P-O-O-L". 45 CFR 164.514(b)(2)(i)(A)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser


class SpelledName(PatternRecogniser):
    """Four letters or more with signs or spaces between, behind a word for spelling or a name."""

    category = Category.NAME
    score = 0.85
    pattern = re.compile(
        r"\b(?i:spel(?:led|t|ling|ls?|l)|name(?:\sis)?|that'?s|surname|last|first)\b[^\w\n]{0,4}"
        r"(?:(?i:as|it|is|out)\s)?[^\w\n]{0,3}(?P<phi>[A-Za-z](?:(?:[-–., ]|,[ ])[A-Za-z]){3,20})(?![\w-])"
    )
