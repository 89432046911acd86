"""Addresses behind the words for one: "lives at", "address:". 45 CFR 164.514(b)(2)(i)(B)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser
from curbside_deidentification.recognisers.writing.addresses import CAPITALISED, HOUSE, NEXT, POSTCODE
from curbside_deidentification.recognisers.writing.places import NO_LABEL, NO_NEXT_LABEL


class PlacedAddress(PatternRecogniser):
    """A house number and a capitalised name behind words that place somebody or something.

    The words vouch for the address, so it needs no word for "street". A position ("12 O'clock") stays.
    """

    category = Category.LOCATION
    score = 0.85
    pattern = re.compile(
        r"\b(?i:(?:street|home|mailing|residence|street[ ]name|addr|domicile|residential)[ ]?(?=:)|"
        r"address(?:[ ]line[ ]?1)?(?:[ ](?:of[ ]\S{1,30}(?:[ ]\S{1,30})?|is|was|to|"
        r"as)){0,3}(?:[ ]the[ ]same)?|"
        r"(?:lives?|lived|living|resid(?:es?|ed|ing)|located|house|found|picked[ ]up)[ ](?:(?:him|her|"
        r"them|patient)[ ])?(?:on|at|in)|meet[ ](?:me|us)[ ]at|"
        r"(?:send|sent|deliver(?:ed)?|mail(?:ed)?|moved)[ ](?:it[ ])?to|drops[ ]you[ ]off[ ]at)"
        rf"[ ]{{0,2}}[:=]?[>\s|]{{0,8}}(?P<phi>{HOUSE}[ ]{{1,2}}(?!(?i:o['’]?clock|cm|mm|AM|PM)\b)"
        rf"{CAPITALISED}(?:[ ](?:of|de|du|da|do|la|le)\b|[ ]{NO_LABEL}{CAPITALISED}){{0,4}}(?:[ ]{HOUSE}\b)?"
        rf"(?:(?:{NEXT}){NO_NEXT_LABEL}(?:{POSTCODE}[ ])?{CAPITALISED}(?:[ ]{CAPITALISED}){{0,2}}"
        rf"(?:[ ]{POSTCODE})?){{0,3}})(?!\w)"
    )
