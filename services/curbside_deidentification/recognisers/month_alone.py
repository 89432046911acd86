"""Months by themselves. 45 CFR 164.514(b)(2)(i)(C)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser


class MonthAlone(PatternRecogniser):
    """A month by itself is an element of a date. "May" and "March" need a word that makes them months."""

    category = Category.DATE
    score = 0.75
    pattern = re.compile(
        r"\b(?P<phi>January|February|April|June|July|August|September|October|November|December|"
        r"(?:(?<=in )|(?<=since )|(?<=of )|(?<=until )|(?<=last )|(?<=this )|(?<=next )|"
        r"(?<=early )|(?<=late )|(?<=mid-)|(?<=by ))"
        r"(?:May|March|Jan|Feb|Mar|Apr|Aug|Sept?|Oct|Nov|Dec))\b(?!-)"
    )
