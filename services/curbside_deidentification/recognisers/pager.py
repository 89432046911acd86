"""Pagers and extensions: numbers inside a house. 45 CFR 164.514(b)(2)(i)(D)."""

from __future__ import annotations

import re
from typing import Final

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser
from curbside_deidentification.recognisers.writing.alternatives import by_initial

_LABEL: Final = by_initial(
    r"pager|pgr|bpr|beeper|bleep|page(?:d|\sme)?(?=\s(?:at|on|to)\b|\s?[#:])|ext(?:ension)?|spectra\s?link|"
    r"vocera|ascom|voalte"
)
# "x4321" behind one of these is an extension; elsewhere it is how much a microscope enlarges.
_REACHED: Final = re.compile(
    r"(?:\b(?:at|call|phone|tel|office|dial|reach|contact|to|or|line|desk|lab)\b[ :,]{0,2}|[(,]\s?)\Z",
    re.I,
)


class Pager(PatternRecogniser):
    """Three to seven digits behind a word for a pager or an extension; "p12345" and "x4321" are tight.

    "p80" is a pulse.
    """

    category = Category.PHONE
    score = 0.9
    pattern = re.compile(
        rf"(?:\b{_LABEL}\b\.?\s{{0,2}}(?:\((?:MD|RN|on\scall|cell|office)\)\s?)?"
        r"(?:(?:numbers?|no|num|id|is|at|on|to)\b\.?\s{0,2}){0,2}[:#=(]{0,2}\s{0,2}\#?(?=\d{3,7})|"
        r"(?-i:(?<![\w.])[pb]|(?<=[A-Z.,)]\s)[PB])(?=\d{4,5}\b)|(?<![\w.])(?:p:|pg[:\#]|"
        r"page)\s?\#?(?=\d{4,5}\b)|"
        r"\b(?:MD|M\.D\.|DO|RN|NP|PA|PA-C|LPN|CNM),?\s?\#(?=\d{3,6}\b)|"
        r"(?<!\w)(?<!\d\s)(?P<tight>x)[ -]?(?=\d{3,5}\b))"
        r"(?P<phi>\d{3,7}(?:-\d{4})?)(?![\w%-]|[.:/]\d|\s?(?:m[lg]|cc|hours|hrs)\b)",
        re.IGNORECASE,
    )

    def valid(self, match: re.Match[str]) -> bool:
        start = match.start()
        if match["tight"] is None or _REACHED.search(match.string, max(0, start - 12), start):
            return True
        return len(match["phi"]) > 3 and not match["phi"].endswith("00")
