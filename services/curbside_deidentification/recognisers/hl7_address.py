"""Addresses in a field of HL7 v2. 45 CFR 164.514(b)(2)(i)(B)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser
from curbside_deidentification.recognisers.writing.addresses import POSTCODE

_COMPONENT = r"[^|^~\r\n]"


class Hl7Address(PatternRecogniser):
    """Street, other designation, town, state and postcode between carets, whatever they are called.

    HL7 v2.5.1, chapter 2A, data type XAD, components 1 to 5; the street may be two subcomponents or none.
    """

    category = Category.LOCATION
    score = 0.96
    pattern = re.compile(
        rf"(?<=[|~])(?P<phi>{_COMPONENT}{{0,80}}\^{_COMPONENT}{{0,60}}\^{_COMPONENT}{{0,60}}\^{_COMPONENT}{{0,30}}\^"
        rf"{POSTCODE})(?=[\^|~\r\n]|$)"
    )

    def valid(self, match: re.Match[str]) -> bool:
        street, _, town, *_ = match["phi"].split("^")
        return bool(street or town)
