"""Month and day in figures. 45 CFR 164.514(b)(2)(i)(C)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser


class MonthAndDay(PatternRecogniser):
    """Month and day without a year, behind a word that places in time.

    Without one, 5/5 is strength and 4/10 is pain; "from" is left out for the same reason.
    """

    category = Category.DATE
    score = 0.8
    pattern = re.compile(
        r"\b(?:on|dated?|since|until|till|thru|through|by|scan of|study of|CT of|MRI of|"
        r"exam of|of the)\s{1,2}"
        r"(?P<phi>(?:0?[1-9]|1[0-2])/(?:0?[1-9]|[12]\d|3[01]))(?![\w/%.-]|\s*(?:strength|pain|"
        r"motor|power|muscle|murmur|systolic|scale|positive|nodes|cores|points))",
        re.IGNORECASE,
    )
