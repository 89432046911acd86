"""ZIP codes. 45 CFR 164.514(b)(2)(i)(B)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser
from curbside_deidentification.recognisers.writing.places import STATE


class Zip(PatternRecogniser):
    """ZIP codes behind a state or their label; a bare five-digit number is more often something else."""

    category = Category.LOCATION
    pattern = re.compile(
        rf"\b(?:{STATE},?\s+|"
        rf"(?i:zip)(?i:\s?code)?\s{{0,2}}[:#]?\s{{0,2}}(?:is\s)?|"
        r"(?i:(?:lives?|lived|living|resid(?:es?|ing)|moved|home|house|apartment|address)\s(?:is\s)?"
        r"(?:in|to|from|near|at)\s))(?P<phi>\d{5}(?:-\d{4})?)(?![\w-])"
    )
