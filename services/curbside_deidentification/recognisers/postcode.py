"""Postcodes of any country behind their label. 45 CFR 164.514(b)(2)(i)(B)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser
from curbside_deidentification.recognisers.writing.addresses import POSTCODE


class Postcode(PatternRecogniser):
    """Three to ten characters behind "postcode" or "ZIP". Universal Postal Union, S42: forms by country.

    A row of three digits is a part of a ZIP code, which `ThreeDigitZip` decides about.
    """

    category = Category.LOCATION
    pattern = re.compile(
        rf"\b(?:zip|postal|post)(?:[ ]?code)?[ ]{{0,2}}(?:[:#]|is)[ ]{{0,2}}(?P<phi>{POSTCODE})(?![\w-])",
        re.IGNORECASE,
    )

    def valid(self, match: re.Match[str]) -> bool:
        return len(match["phi"]) > 3
