"""Ages told by the decade: "in her nineties", "a centenarian". 45 CFR 164.514(b)(2)(i)(C)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser


class AgeInDecades(PatternRecogniser):
    """Words that say that somebody is 90 or older."""

    category = Category.AGE
    score = 0.9
    pattern = re.compile(
        r"\b(?P<decade>in (?:his|her|their|the)(?: very)?(?: early| mid| middle| late)?[ -])?"
        r"(?P<phi>90['’]?s|nineties|hundreds|100['’]?s|(?:super)?centenarian|nonagenarian)\b",
        re.IGNORECASE,
    )

    def valid(self, match: re.Match[str]) -> bool:
        return match["decade"] is not None or match["phi"].casefold().endswith("arian")
