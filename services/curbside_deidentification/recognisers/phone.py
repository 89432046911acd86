"""Telephone numbers by their form. 45 CFR 164.514(b)(2)(i)(D)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser
from curbside_deidentification.recognisers.writing.labels import digits

# Hyphens that word processors put in: U+2010 to U+2013, U+2212.
_SEP = r"[-. \u2010-\u2013\u2212]"


class Phone(PatternRecogniser):
    """North American numbers with area code, and international ones, (D). ITU-T E.164; NANPA."""

    category = Category.PHONE
    pattern = re.compile(
        rf"(?<![\w.-])(?P<phi>(?:\+?1{_SEP}?)?(?:[(\[]\s?\d{{3}}\s?[)\]][-/]?\s?\d{{3}}"
        # A line may end in it. Behind a range of bare figures a year or a round number may stand.
        rf"(?:{_SEP}{{1,3}}|[-. ]?\r?\n[ \t]{{0,8}})|"
        r"[2-9]\d\d[-.][2-9]\d\d[-. ]?\r?\n[ \t]{0,8}(?!(?:19|20)\d\d|\d\d[05]0)|"
        rf"\d{{3}}(?:{_SEP}{{1,3}}|/)\d{{3}}{_SEP}{{1,3}})"
        rf"\d{{4}}(?:,?\s{{0,2}}(?:x|ext\.?|extension)\s{{0,2}}[:#]?\s?\d{{1,6}})?|"
        r"\+\d{1,3}(?:[-. ]?\(?\d{1,5}\)?){2,5})(?![\w-])",
        re.IGNORECASE,
    )
    score = 0.95

    def valid(self, match: re.Match[str]) -> bool:
        return len(digits(match["phi"])) >= 9
