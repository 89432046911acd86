"""Addresses with a suite or an apartment, of any country, over several lines. 45 CFR 164.514(b)(2)(i)(B)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser
from curbside_deidentification.recognisers.writing.addresses import (
    CAPITALISED,
    COMMA,
    HOUSE,
    LINE_BREAK,
    POSTCODE,
    UNIT,
    WORD,
)

_STREET = rf"{HOUSE}[ ]{{1,2}}{WORD}\.?(?:[ ]{{1,2}}(?:{WORD}|\d{{1,4}})\.?){{0,5}}"
_CAPITALISED = rf"(?-i:{CAPITALISED})"
_END = r"(?=[ ]*(?:[,\r\n?.!)]|$))"
# What follows the unit: a town, a state or a country, and a postcode. Behind a comma, where a sentence may go
# on, they begin with a capital; in a line of their own they need none.
_LINE = rf"(?:{POSTCODE}[ ])?(?:{WORD}(?:[ ](?:{WORD}|[(]{WORD}[)])){{0,3}})?[ ]?(?:{POSTCODE})?{_END}"
_PART = rf"(?:{POSTCODE}[ ])?{_CAPITALISED}(?:[ ](?:{WORD}|[(]{WORD}[)])){{0,3}}(?:[ ]{POSTCODE})?{_END}"


class AddressWithUnit(PatternRecogniser):
    """A house number, a street, and a unit in the same line or the next; then up to four parts more.

    The unit proves the address, so the street may be any words. USPS Publication 28, section 213, has the
    unit; Universal Postal Union, S42, the order of the parts.
    """

    category = Category.LOCATION
    score = 0.93
    pattern = re.compile(
        rf"(?<![\w.,/-])(?P<phi>{_STREET}(?:{LINE_BREAK}|{COMMA}|[ ]{{1,2}}){UNIT}(?:,?[ ]{UNIT})?"
        rf"(?:[ ]{_CAPITALISED}(?:[ ]{_CAPITALISED}){{0,2}}(?:[ ]{POSTCODE})?)?"
        rf"(?:{LINE_BREAK}{_LINE}|{COMMA}{_PART}){{0,4}})(?!\w)",
        re.IGNORECASE,
    )
