"""Month and year in figures. 45 CFR 164.514(b)(2)(i)(C)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser


class MonthAndYear(PatternRecogniser):
    """Month and year as numbers: 04/2023, 2023-04, and behind a word that places in time 4/98."""

    category = Category.DATE
    pattern = re.compile(
        r"(?<![\w./-])(?P<phi>(?:0?[1-9]|1[0-2])[/-](?:19|20)\d\d|"
        r"(?P<year>(?:19|20)\d\d)(?:/|(?P<dash>-))(?P<month>0[1-9]|1[0-2])|"
        r"(?:(?<=\bin )|(?<=\bIn )|(?<=\bIN )|(?<=since )|(?<=SINCE )|(?<=early )|(?<=late )|(?<=mid )|"
        r"(?<=dated )|(?<=until ))(?:0?[1-9]|1[0-2])/(?:3[2-9]|[4-9]\d)(?!\s?(?:nodes?|lymph|cores?|%))"
        r")(?![\w/-]|\.\d)"
    )

    def valid(self, match: re.Match[str]) -> bool:
        # "2010-12" is a pair of years more often than a December.
        return match["dash"] is None or int(match["month"]) <= int(match["year"][2:])
