"""Month and day with a hyphen, behind a stay's beginning or end: "adm 11-3". 45 CFR 164.514(b)(2)(i)(C)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser


class DashedMonthAndDay(PatternRecogniser):
    """Elsewhere "2-3" is a range."""

    category = Category.DATE
    score = 0.75
    pattern = re.compile(
        r"(?<![\w/-])(?i:adm|admit(?:ted)?|d/c(?:'?d)?|dc'?d|disch(?:arged)?|DOA|DOS|DOI|LMP|EDD)"
        r"[ :]{1,2}(?:on[ ])?"
        r"(?P<phi>(?:0?[1-9]|1[0-2])-(?:0?[1-9]|[12]\d|3[01]))"
        r"(?![\w/%-]|\.\d|\s?(?:days?|weeks?|wks?|months?|mos?|hours?|hrs?|L|mg|times|x)\b)"
    )
