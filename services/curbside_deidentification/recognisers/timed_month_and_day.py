"""Month and day with a time of day behind them: "8/30 11:50 AM". 45 CFR 164.514(b)(2)(i)(C)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser
from curbside_deidentification.recognisers.writing.days import MONTH_DAY, is_measured


class TimedMonthAndDay(PatternRecogniser):
    """The time may be of the day or of twice twelve hours, with a colon or without: "4/20 1353"."""

    category = Category.DATE
    score = 0.85
    pattern = re.compile(
        rf"(?<![\w./+-])(?P<phi>{MONTH_DAY})(?=,?[ \t]{{0,3}}(?:at\s|@\s?|-\s?)?"
        r"(?:(?:[01]?\d|2[0-4]):[0-5]\d(?!\d)|(?:[01]\d|2[0-4])[0-5]\d(?![\w.,/%-]|\s?(?:m[lg]|cc|k?cal)\b)|"
        r"(?<=@)(?:[01]\d|2[0-4])[0-5]\d\b|(?<=@\s)(?:[01]\d|2[0-4])[0-5]\d\b|"
        r"(?:1[0-2]|[1-9])\s?[AaPp]\.?[Mm]\b))"
    )

    def valid(self, match: re.Match[str]) -> bool:
        return not is_measured(match.string, match.start())
