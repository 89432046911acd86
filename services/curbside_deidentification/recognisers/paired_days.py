"""Two days of a month with a slash between: "17/18 Oct". 45 CFR 164.514(b)(2)(i)(C)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser
from curbside_deidentification.recognisers.writing.dates import MONTH, YEAR
from curbside_deidentification.recognisers.writing.days import NO_MEASURE, is_measured

_DAY = r"(?:0?[1-9]|[12]\d|3[01])"


class PairedDays(PatternRecogniser):
    """A night's two days, the later behind the slash; "pain 3/10 Oct 5" is none."""

    category = Category.DATE
    score = 0.9
    pattern = re.compile(
        rf"(?<![\w./-])(?P<phi>(?P<first>{_DAY})/(?P<second>{_DAY})[ -]{{0,2}}"
        rf"(?!(?-i:may|mar|march)\b){MONTH}\b\.?"
        rf"(?:,?[ -]{{0,2}}{YEAR}\b)?|"
        rf"{MONTH}\b\.?[ ]?(?P<from>{_DAY})/(?P<to>{_DAY})(?![\d/]|\.\d){NO_MEASURE}(?:,?\s{YEAR}\b)?)",
        re.IGNORECASE,
    )

    def valid(self, match: re.Match[str]) -> bool:
        first, second = int(match["first"] or match["from"]), int(match["second"] or match["to"])
        return first < second and not is_measured(match.string, match.start())
