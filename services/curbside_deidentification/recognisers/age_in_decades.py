"""Ages told by the decade: "in her nineties", "a centenarian". 45 CFR 164.514(b)(2)(i)(C)."""

from __future__ import annotations

import re
from typing import Final

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser

_PART: Final = r"(?:early|mid|middle|late)"
# "In the mid-nineties": of a century, of a rate, of a saturation.
_NO_AGE: Final = re.compile(
    r"\b(?:in|since|during|from|until|by|of|throughout|back\sin)\s(?:the\s)?\Z|"
    r"\b(?:rates?|pulse|HR|BP|pressures?|systolics?|diastolics?|temps?|temperatures?|sats?|saturat\w+|SpO2|O2|oxygen|"
    r"sugars?|glucose|weights?|weigh\w*|scores?|levels?|percentiles?|graduated|married|built)\b[^.;\n]{0,40}\Z",
    re.IGNORECASE,
)
_WHO: Final = r"(?:man|woman|lady|gentleman|gentlewoman|male|female|patient|pt|resident|person|widow(?:er)?)"


class AgeInDecades(PatternRecogniser):
    """Words that say that somebody is 90 or older. A rate or a saturation is "in the 90s", and so is a year:
    with a part of the decade it is an age where nothing else is counted."""

    category = Category.AGE
    score = 0.9
    pattern = re.compile(
        rf"\b(?:(?:his|her|their)\s(?:very\s)?(?:{_PART}[- ])?(?=90|nine|100|hund)|"
        rf"{_WHO}\s(?:now\s)?in\s(?:the\s)?{_PART}[- ](?=nine)|(?P<part>{_PART}[- ](?=nine))|"
        r"(?=(?:super)?centenarian|nonagenarian))"
        r"(?P<phi>90\s?['’]?s|nineties|100\s?['’]?s|hundreds|(?:super)?centenarian|nonagenarian)\b",
        re.IGNORECASE,
    )

    def valid(self, match: re.Match[str]) -> bool:
        text, start = match.string, match.start()
        return match["part"] is None or not _NO_AGE.search(text, max(0, start - 60), start)
