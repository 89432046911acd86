"""Dates in figures. 45 CFR 164.514(b)(2)(i)(C)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser
from curbside_deidentification.recognisers.writing.dates import TIME


class NumericDate(PatternRecogniser):
    """Year first as in ISO 8601, or month or day first with a year; any of `/`, `-`, `.` between."""

    category = Category.DATE
    score = 0.93
    pattern = re.compile(
        r"(?<![\w./-])(?P<phi>"
        rf"(?P<y1>(?:19|20)\d\d)(?P<s1>[-/.])(?P<m1>\d{{1,2}})(?P=s1)(?P<d1>\d{{1,2}}){TIME}|"
        rf"(?P<a>\d{{1,2}})(?P<s2>[-/.])(?P<b>\d{{1,2}})(?P=s2)(?P<y2>(?:19|20)\d\d|['’]?\d\d){TIME}"
        r")(?![\w/]|-\d|\.\d)"
    )

    def valid(self, match: re.Match[str]) -> bool:
        if match["y1"]:
            return 1 <= int(match["m1"]) <= 12 and 1 <= int(match["d1"]) <= 31
        first, second = int(match["a"]), int(match["b"])
        if match["s2"] == "." and len(match["y2"]) < 4 and max(first, second) <= 12 and first < 4:
            return False  # "1.2.10" is a section or a version more often than a date
        return 1 <= min(first, second) <= 12 and 1 <= max(first, second) <= 31
