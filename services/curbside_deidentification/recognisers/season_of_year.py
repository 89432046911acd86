"""Seasons of a year: "the spring of 2014". 45 CFR 164.514(b)(2)(i)(C)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser
from curbside_deidentification.recognisers.writing.dates import YEAR


class SeasonOfYear(PatternRecogniser):
    """More than the year, which is all that may stay of a date. A season without a year stays."""

    category = Category.DATE
    score = 0.75
    pattern = re.compile(
        rf"\b(?P<phi>(?:spring|summer|autumn|fall|winter)(?:\sof)?\s{YEAR})\b", re.IGNORECASE
    )
