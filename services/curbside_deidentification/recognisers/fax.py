"""Fax numbers. 45 CFR 164.514(b)(2)(i)(E)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser


class Fax(PatternRecogniser):
    """A number behind the word fax, (E)."""

    category = Category.FAX
    pattern = re.compile(
        r"\b(?:fax|facsimile)(?:\ (?:number|no\.?|\#))?\s{0,2}(?:is|at|"
        r"to)?\s{0,2}[:#(]?\s{0,2}(?P<phi>\+?\(?\d[\d\-. ()]{5,18}\d)",
        re.IGNORECASE,
    )
    score = 0.97
