"""Month and day that can be nothing else, wherever they stand: "(11/30)". 45 CFR 164.514(b)(2)(i)(C)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser
from curbside_deidentification.recognisers.writing.days import MONTH_DAY, NO_MEASURE, is_fraction, is_measured


class LoneMonthAndDay(PatternRecogniser):
    """A day after the twelfth, or with a nought before it: no scale goes so far. Behind a credential or an
    initial at the end of a line, or behind "s/p", any day: "K. Osei, RN 2/3"."""

    category = Category.DATE
    score = 0.7
    pattern = re.compile(
        r"(?:(?P<signed>(?:\b[A-Z]\.|\b(?:MD|M\.D\.|DO|RN|LPN|NP|PA|PA-C|CNA|RT|PT|OT|MA|PharmD|PhD|"
        r"Ph\.D\.)),?)\s|"
        r"(?P<after>\b(?:[Ss]/[Pp]|[Ss]tatus post|underwent)\s[^.;:\n\d]{3,70})|"
        r"(?<![\w./+-]))"
        rf"(?P<phi>{MONTH_DAY}){NO_MEASURE}(?!-\d)(?P<end>[ \t]{{0,4}}(?:\n|\Z))?",
    )

    def valid(self, match: re.Match[str]) -> bool:
        text, start = match.string, match.start("phi")
        if is_measured(text, start):
            return False
        if match["after"] is not None or (match["signed"] is not None and match["end"] is not None):
            return True
        day = match["phi"].partition("/")[2]
        return not is_fraction(match["phi"]) and (int(day) > 12 or day.startswith("0"))
