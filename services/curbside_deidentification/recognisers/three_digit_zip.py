"""The first three digits of a ZIP code, where too few people live. 45 CFR 164.514(b)(2)(i)(B)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.lexicon import small_zip_areas
from curbside_deidentification.domain.patterns import PatternRecogniser


class ThreeDigitZip(PatternRecogniser):
    """(B)(1) and (2): the first three digits may stay, unless at most 20,000 people live where they are.

    The areas are those of HHS, "Guidance Regarding Methods for De-identification", 2012 (Census of 2000).
    """

    category = Category.LOCATION
    score = 0.9
    pattern = re.compile(
        r"\b(?:zip|postal)(?:[ ]?codes?)?(?:[ ](?:prefix|area|beginning[ ]with|"
        r"starting[ ]with))?[ ]{0,2}(?:[:#]|is)?[ ]{0,2}"
        r"(?P<phi>\d{3}(?:[xX*]{2})?)(?![\w-])",
        re.IGNORECASE,
    )

    def valid(self, match: re.Match[str]) -> bool:
        return match["phi"][:3] in small_zip_areas()
