"""Ages of 90 and over behind a label. 45 CFR 164.514(b)(2)(i)(C)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser
from curbside_deidentification.recognisers.writing.dates import NINETIES, NINETY_WORDS


class LabelledHighAge(PatternRecogniser):
    """The same behind "age", "aged"."""

    category = Category.AGE
    score = 0.92
    pattern = re.compile(
        rf"\b(?:aged?|age of|at age|turned|is now)\s{{0,2}}[:=]?\s{{0,2}}(?P<phi>{NINETIES}|"
        rf"{NINETY_WORDS})\b(?!\d|[./]\d|%|\s?(?:mg|mm|cm|kg|%|days?|weeks?|months?|minutes?|"
        rf"hours?))",
        re.IGNORECASE,
    )
