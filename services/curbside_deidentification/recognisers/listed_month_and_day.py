"""Month and day that head an entry: "3/14: WBC 9". 45 CFR 164.514(b)(2)(i)(C)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser
from curbside_deidentification.recognisers.writing.days import MONTH_DAY, NO_MEASURE, is_fraction


class ListedMonthAndDay(PatternRecogniser):
    """Month and day at the beginning of a line, before what happened, or of a sentence where the
    lines were joined ("stable. 2/4 - Extubated"). Elsewhere "4/10" is pain."""

    category = Category.DATE
    score = 0.75
    pattern = re.compile(
        rf"(?:(?m:^)[ \t]{{0,8}}(?:[-*•>][ ])?\(?|"
        rf"(?P<inside>(?<=[a-z][.;] )))(?P<phi>{MONTH_DAY})(?:(?P<sign>[ ]?[:–)-][ \t])|"
        rf"(?=[ \t]{{1,4}}[A-Za-z])){NO_MEASURE}"
        r"(?(inside)(?=[A-Z]))"
    )

    def valid(self, match: re.Match[str]) -> bool:
        if match["inside"] is not None and match["sign"] is None:
            return False
        return match["sign"] is not None or not is_fraction(match["phi"])
