"""Month and day that head an entry: "3/14: WBC 9". 45 CFR 164.514(b)(2)(i)(C)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser


class ListedMonthAndDay(PatternRecogniser):
    """Month and day at the beginning of a line with a colon or a dash behind. Elsewhere "4/10" is pain."""

    category = Category.DATE
    score = 0.75
    pattern = re.compile(
        r"(?m:^)[ \t]{0,4}(?:[-*•][ ])?(?P<phi>(?:0?[1-9]|1[0-2])/(?:0[1-9]|1\d|2\d|3[01]))(?=[ ]?[:–-][ ])"
    )
