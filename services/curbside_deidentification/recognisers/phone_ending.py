"""The last figures of a telephone number: "cell ending 0102". 45 CFR 164.514(b)(2)(i)(D)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser


class PhoneEnding(PatternRecogniser):
    """Three or four figures that a text says a number ends in. A catheter is a line, too."""

    category = Category.PHONE
    score = 0.91
    pattern = re.compile(
        r"\b(?:phones?|telephone|tel|cell(?:ular|phone)?|mobile|landline|fax|pager|beeper|callback|voice\s?mail|"
        r"(?:text|phone|direct|main|nurse|fax|hot|back|office|home|work|private|second)\s?line|texts?|texted|"
        r"(?:his|her|their|home|work|contact|callback|alternate)\snumber)\b"
        r"(?:[^.\n\d]{0,24}?\b(?:ending|ends)\b(?:\s(?:in|with|at|on))?[ :#(]{0,2}"
        r"(?:[x*]{1,8}-?|\.{2,4}|…|-)?|"
        r"[^.\n\d]{0,12}?(?:\.{2,4}|…))(?P<phi>\d{3,4})(?![\w%]|[.:/-]\d)",
        re.IGNORECASE,
    )
