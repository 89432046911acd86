"""Dates without separators. 45 CFR 164.514(b)(2)(i)(C)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser


class CompactDate(PatternRecogniser):
    """ISO 8601 basic format and the HL7 v2 time stamp (v2.5.1, 2.A.22): 20230412, 20230412143000.123-0500;
    month, day and year together behind a word for a study; and the internal date of VA FileMan, years since
    1700: 3230412.1430."""

    category = Category.DATE
    score = 0.85
    pattern = re.compile(
        r"(?<![\w.-])(?P<phi>(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])"
        r"(?:T?[0-2]\d(?:[0-5]\d(?:[0-5]\d(?:\.\d{1,4})?)?)?)?(?:[+-]\d{4}|Z)?|"
        r"(?:(?<=\b[Ss]can of )|(?<=\b[Ff]ilm of )|(?<=\b[Ee]xam of )|(?<=\b[Ss]tudy of )|"
        r"(?<=\b[Vv]isit of )|"
        r"(?<=\bDOS )|(?<=\bDOS: )|(?<=\bDOB )|(?<=\bDOB: )|(?<=\b[Dd]ated )|(?<=\bcompared with )|"
        r"(?<=\bcompared to ))"
        r"(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:(?:19|20)\d\d|\d\d)|"
        r"[23]\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\.(?:[01]\d|2[0-4])\d{0,4})(?![\w-]|\.\d)"
    )
