"""Dates in figures with spaces around their separators: "3 / 4 / 2022". 45 CFR 164.514(b)(2)(i)(C)."""

from __future__ import annotations

import re
from typing import Final

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser
from curbside_deidentification.recognisers.writing.dates import SPACED_DAY, SPACED_MONTH, SPACED_YEAR, TIME
from curbside_deidentification.recognisers.writing.days import PLACING, is_measured

_BEFORE: Final = r"[ \t]{0,2}"
# A point at a line's end ends a sentence or numbers a list.
_SIGN: Final = r"(?:[-/–]|\.(?![ ]?[\r\n]))"
_BEHIND: Final = r"[ \t]{0,2}(?:\r?\n[ \t]{0,8})?"
_PLACED: Final = re.compile(
    rf"\b(?:{PLACING}|(?:date|day)s?\s(?:of|for)(?:\s\w{{2,16}}){{1,2}}|D\.O\.[BASD]\.?)\s?[.:=#(]{{0,2}}"
    r"\s{0,3}(?:(?:on|is|for|was|from|the)\s)?\Z",
    re.IGNORECASE,
)
# Behind another: "3/ 4/22 to 3/ 6/22".
_SECOND: Final = re.compile(r"[-/.]\s?\d\d\s?(?:to|and|thru|through|until|till|[-–])\s?\Z", re.IGNORECASE)
_TIMED: Final = re.compile(r",?\s{1,2}(?:at\s|@\s?)?\d{1,2}:[0-5]\d\b")


class SpacedDate(PatternRecogniser):
    """As scanners and printed forms leave them, also over a line's end. With a year of two figures a word
    that places in time stands before, or a time of day behind: "1 - 2 - 10" may be doses or scores."""

    category = Category.DATE
    score = 0.93
    pattern = re.compile(
        r"(?<![\w.,/–-])(?P<phi>(?P<day>"
        rf"(?:{SPACED_MONTH}{_BEFORE}(?P<s1>{_SIGN}){_BEHIND}{SPACED_DAY}{_BEFORE}(?P=s1)|"
        rf"{SPACED_DAY}{_BEFORE}(?P<s2>{_SIGN}){_BEHIND}{SPACED_MONTH}{_BEFORE}(?P=s2))"
        rf"{_BEHIND}(?:{SPACED_YEAR}|(?P<short>['’]?\d\d))|"
        rf"{SPACED_YEAR}{_BEFORE}(?P<s3>{_SIGN}){_BEHIND}{SPACED_MONTH}{_BEFORE}(?P=s3){_BEHIND}{SPACED_DAY}"
        rf"){TIME})(?![\w/%]|\.\d|[ ]?(?:m[gl]|mL|mcg|cc|units?|tabs?|mm|cm)\b)"
        r"(?(short)(?![ ]?(?:[-/.–][ ]?)?\d(?!\d?:)))"
    )

    def valid(self, match: re.Match[str]) -> bool:
        """Whether spaces stand in it (else it is `NumericDate`'s), and something tells a short year."""
        if not any(map(str.isspace, match["day"])):
            return False
        text, start = match.string, match.start()
        if match["short"] is None or _TIMED.match(text, match.end("day")):
            return True
        window = max(0, start - 40)
        placed = _PLACED.search(text, window, start)
        if placed is None:
            return _SECOND.search(text, window, start) is not None
        return not is_measured(text, placed.start())
