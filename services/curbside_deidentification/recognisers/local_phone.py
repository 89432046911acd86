"""Telephone numbers without an area code: "555-0137". 45 CFR 164.514(b)(2)(i)(D)."""

from __future__ import annotations

import re
from typing import Final

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser

_AMOUNT: Final = re.compile(
    r"\b(?:between|from|range|every|goal|target|to|mg|dose|ratio|lines?|about)\s?:?\s?$", re.IGNORECASE
)


# With a point between, it is a decimal unless somebody is called.
_CALLED: Final = re.compile(
    r"\b(?:at|call(?:ed|ing)?|cell|phone|ph|tel|fax|fx|text|dial|number|no|home|work|mobile|office|line|contact|or|#)"
    r"\s?[.:#]?\s{0,2}$",
    re.IGNORECASE,
)


class LocalPhone(PatternRecogniser):
    """NANPA: an exchange that begins with 2 to 9, and four digits. "500-1000 mL" is an amount: its second
    number is the greater and round, or has a unit behind it."""

    category = Category.PHONE
    score = 0.7
    pattern = re.compile(
        r"(?<![\w.,/$-])(?P<phi>(?P<first>[2-9]\d\d)[-.\u2010-\u2013](?P<second>\d{4}))(?![\w%-]|[./,]\d|"
        r"\s?(?:[kmµunpf]?"
        r"(?:g|l|mol|iu|u|eq|m)|mcg|cc|units?|cells|k?cal(?:ories)?|steps|feet|copies|mm|cm)\b)",
        re.IGNORECASE,
    )

    def valid(self, match: re.Match[str]) -> bool:
        second = match["second"]
        if match["phi"][3] == ".":
            return _CALLED.search(match.string, max(0, match.start() - 24), match.start()) is not None
        if second.endswith(("00", "50")):
            return second.startswith("0") or not _AMOUNT.search(
                match.string, max(0, match.start() - 12), match.start()
            )
        return True
