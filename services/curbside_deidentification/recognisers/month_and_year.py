"""Month and year in figures. 45 CFR 164.514(b)(2)(i)(C)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser


class MonthAndYear(PatternRecogniser):
    """Month and year as numbers: 04/2023."""

    category = Category.DATE
    pattern = re.compile(r"(?<![\w./-])(?P<phi>(?:0?[1-9]|1[0-2])[/-](?:19|20)\d\d)(?![\w/-])")
