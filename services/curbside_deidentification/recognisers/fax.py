"""Fax numbers. 45 CFR 164.514(b)(2)(i)(E)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser


class Fax(PatternRecogniser):
    """A number behind the word fax, (E)."""

    category = Category.FAX
    pattern = re.compile(
        r"\b(?:fax(?:ed|es)?|facsimile|fx)\b(?:\s(?:them|it|results?|records?|reports?|copy|the\s\w{4,12}))?"
        r"(?:\ (?:numbers?|no\.?|\#))?\s{0,2}(?:is|at|to)?\s{0,2}[:#(|"
        r"]?\s{0,2}(?P<phi>\+?\(?\d[\d\-. ()/]{5,18}\d)"
        r"(?![\d/])",
        re.IGNORECASE,
    )
    score = 0.97
