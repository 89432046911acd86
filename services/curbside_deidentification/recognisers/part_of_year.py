"""Days, weeks and quarters of a year: "day 60 of 2024", "Q1 2024". 45 CFR 164.514(b)(2)(i)(C)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser
from curbside_deidentification.recognisers.writing.dates import YEAR


class PartOfYear(PatternRecogniser):
    """More than the year, which is all that may stay of a date. "Q4" without a year is every four hours; a
    leap day is one whatever its year."""

    category = Category.DATE
    score = 0.85
    pattern = re.compile(
        rf"\b(?P<phi>(?i:(?:week|wk|month)\s(?:#|no\.?\s)?\d{{1,2}}|day\s(?:#|no\.?\s)?\d{{1,3}})(?i:,?\sof\s|/){YEAR}|"
        r"(?i:week|wk)\s\d{1,2},?\s(?:19|20)\d\d|\d{1,3}(?i:st|nd|rd|th)\s(?i:day|week)\s(?i:of\s)?(?:19|20)\d\d|"
        r"[1-4]Q[ -]?20\d\d|"
        rf"Q[1-4](?:\s|\sof\s|[-/])?{YEAR}(?!\s?(?:mg|mL|units?)\b)|(?:19|20)\d\d[-\s/]?Q[1-4]|"
        rf"(?i:(?:first|second|third|fourth|last|1st|2nd|3rd|4th)\s(?:quarter|half|week)\s(?:of\s)?(?:19|20)\d\d)|"
        r"(?:19|20)\d\d-?W(?:0[1-9]|[1-4]\d|5[0-3])(?:-?[1-7])?|"
        rf"(?i:leap\s(?:year(?:['’]?s)?\s)?day(?:,?\s(?:of\s|in\s)?{YEAR})?))(?![\w/-])"
    )
