"""Street corners: "the corner of Elm Street and Mill Road". 45 CFR 164.514(b)(2)(i)(B)."""

from __future__ import annotations

import re
from typing import Final

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser
from curbside_deidentification.recognisers.writing.addresses import CAPITALISED, WORD

_ORDINAL: Final = r"\d{1,3}(?i:st|nd|rd|th)(?:[ ](?:St|Street|Ave|Avenue)\b)?"


class StreetCorner(PatternRecogniser):
    """Two streets that meet.

    A house at a corner needs no number. USPS Publication 28, appendix C1, has "Corner".
    """

    category = Category.LOCATION
    score = 0.85
    pattern = re.compile(
        rf"\b(?i:corner|intersection|junction)[ ](?i:of)[ ](?P<phi>(?:(?:\d{{1,6}}[ ])?{WORD}\.?(?:[ ]"
        rf"(?:{WORD}|\d{{1,4}})\.?){{0,4}}|{_ORDINAL})"
        rf"[ ](?i:and|&)[ ](?:{CAPITALISED}(?:[ ](?:{CAPITALISED}|\d{{1,4}})){{0,3}}|{_ORDINAL}))(?!\w)"
    )
