"""Telephone numbers behind their label, extensions and pagers. 45 CFR 164.514(b)(2)(i)(D)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser
from curbside_deidentification.recognisers.writing.labels import digits


class LabelledPhone(PatternRecogniser):
    """Any number of seven digits or more, or an extension, behind a word for telephone."""

    category = Category.PHONE
    pattern = re.compile(
        r"\b(?:phone|telephone|tel|mobile|cell(?:phone)?|pager|beeper|"
        r"call(?:back)?(?:\ (?:him|her|them|us|me))?(?:\ (?:at|on))|contact|ext(?:ension)?|"
        r"home|work|ph)\b"
        r"\.?(?:\ (?:number|no\.?|\#))?\s{0,2}(?:is|at|"
        r"on)?\s{0,2}[:#]?\s{0,2}(?P<phi>\(?\d[\d\-. ()]{2,16}\d)",
        re.IGNORECASE,
    )

    def valid(self, match: re.Match[str]) -> bool:
        count = len(digits(match["phi"]))
        short = match[0].casefold().startswith(("pager", "beeper", "ext"))
        return count >= 7 or (short and 3 <= count <= 6)
