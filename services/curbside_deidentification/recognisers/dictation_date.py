"""Dates of dictation lines: "D: 03/04 T: 03/05". 45 CFR 164.514(b)(2)(i)(C)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser


class DictationDate(PatternRecogniser):
    """Month and day behind the letters for dictated, transcribed, received; the year may be missing."""

    category = Category.DATE
    score = 0.9
    pattern = re.compile(
        r"(?<![\w.])(?:DD|DT|TD|TT|RD|D|T|R|E|TR|DV|TL|RV|S|(?i:dictated|transcribed|typed|edited|signed|"
        r"reviewed|printed|date))[ ]?:[ ]{0,3}"
        r"(?P<phi>(?:0?[1-9]|1[0-2])[/-](?:0?[1-9]|[12]\d|3[01])(?:[/-](?:\d{4}|\d{2}))?)(?![\w/%.-])"
    )
