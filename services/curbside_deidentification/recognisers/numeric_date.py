"""Dates in figures with a year. 45 CFR 164.514(b)(2)(i)(C)."""

from __future__ import annotations

import re
from typing import Final

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser
from curbside_deidentification.recognisers.writing.dates import TIME, WEEKDAY

# "1.2.10" behind one of these is no date.
_NUMBERED: Final = re.compile(
    r"\b(?:section|version|ver|v|chapter|release|rev|build|step|protocol|rule|item|table|figure|fig|article|"
    r"paragraph|ratio|§)\.?\s{0,2}$",
    re.IGNORECASE,
)


class NumericDate(PatternRecogniser):
    """Year first as in ISO 8601, or month or day first with a year; any of `/`, `-`, `.` between.

    Behind a dash another date may follow: "3/1/14-3/9/14".
    """

    category = Category.DATE
    score = 0.93
    pattern = re.compile(
        r"(?:(?<![\w./-])|(?<=/\d\d[-–])|(?<=/\d\d\d\d[-–]))"
        rf"(?P<phi>{WEEKDAY}(?:"
        rf"(?P<y1>(?:19|20)\d\d)(?P<s1>[-/.])(?P<m1>\d{{1,2}})(?P=s1)(?P<d1>\d{{1,2}}){TIME}|"
        rf"(?P<a>\d{{1,2}})(?P<s2>[-/.])(?P<b>\d{{1,2}})(?P=s2)(?P<y2>(?:19|20)\d\d|['’]?\d\d){TIME}|"
        r"(?P<a3>\d\d)(?P<s3>[ ])(?P<b3>\d\d)[ ](?:19|20)\d\d"
        r"))(?![\w/]|-\d(?!\d?/|\d{3}\b)|\.\d)"
    )

    def valid(self, match: re.Match[str]) -> bool:
        if match["y1"]:
            return 1 <= int(match["m1"]) <= 12 and 1 <= int(match["d1"]) <= 31
        first, second = int(match["a"] or match["a3"]), int(match["b"] or match["b3"])
        before = match.string[max(0, match.start() - 14) : match.start()]
        if match["s2"] == "." and len(match["y2"]) < 4 and _NUMBERED.search(before):
            return False
        return 1 <= min(first, second) <= 12 and 1 <= max(first, second) <= 31
