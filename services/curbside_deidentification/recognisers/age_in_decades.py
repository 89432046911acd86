"""Ages told by the decade: "in her nineties", "a centenarian". 45 CFR 164.514(b)(2)(i)(C)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser


class AgeInDecades(PatternRecogniser):
    """Words that say that somebody is 90 or older. A rate or a saturation is "in the 90s"."""

    category = Category.AGE
    score = 0.9
    pattern = re.compile(
        r"\b(?:(?:his|her|their)\s(?:very\s)?(?:(?:early|mid|middle|late)[- ])?(?=90|nine|100|hund)|"
        r"(?=(?:super)?centenarian|nonagenarian))"
        r"(?P<phi>90\s?['’]?s|nineties|100\s?['’]?s|hundreds|(?:super)?centenarian|nonagenarian)\b",
        re.IGNORECASE,
    )
