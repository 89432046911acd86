"""Month and day beside a time of day: "8/30 11:50 AM", "11:50 8/30". 45 CFR 164.514(b)(2)(i)(C)."""

from __future__ import annotations

import re
from typing import Final

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser
from curbside_deidentification.recognisers.writing.days import MONTH_DAY, is_measured

_TIME_BEFORE: Final = re.compile(r"\d{1,2}:[0-5]\d \Z")


class TimedMonthAndDay(PatternRecogniser):
    """The time may be of the day or of twice twelve hours, with a colon or without: "4/20 1353". Where it
    stands before the day, it has a colon, and the day ends a line."""

    category = Category.DATE
    score = 0.85
    pattern = re.compile(
        rf"(?<![\w./+-])(?P<phi>(?<=\d:[0-5]\d ){MONTH_DAY}(?=[.,;)]?[ \t]{{0,3}}(?:[\r\n]|\Z))|"
        rf"{MONTH_DAY}(?=,?[ \t]{{0,3}}(?:at\s|@\s?|-\s?)?"
        r"(?:(?:[01]?\d|2[0-4]):[0-5]\d(?!\d)|(?:[01]\d|2[0-4])[0-5]\d(?![\w.,/%-]|\s?(?:m[lg]|cc|k?cal)\b)|"
        r"(?<=@)(?:[01]\d|2[0-4])[0-5]\d\b|(?<=@\s)(?:[01]\d|2[0-4])[0-5]\d\b|"
        r"(?:1[0-2]|[1-9])\s?[AaPp]\.?[Mm]\b)))"
    )

    def valid(self, match: re.Match[str]) -> bool:
        text, start = match.string, match.start()
        timed = _TIME_BEFORE.search(text, max(0, start - 6), start)
        return not is_measured(text, start if timed is None else timed.start())
