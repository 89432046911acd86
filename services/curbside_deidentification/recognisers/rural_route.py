"""Rural routes and highway contracts. 45 CFR 164.514(b)(2)(i)(B)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser
from curbside_deidentification.recognisers.writing.addresses import BARE_TOWN, TOWN_STATE, UNITS


class RuralRoute(PatternRecogniser):
    """A route and its box: "RR 2 Box 18", "HC 68, Box 23A". USPS Publication 28, sections 24 and 25."""

    category = Category.LOCATION
    score = 0.95
    pattern = re.compile(
        r"(?<!\w)(?P<phi>(?i:(?:r\.?[ ]?r\.?|h\.?c\.?(?:r\.?)?|r\.?f\.?d\.?|(?:rural|star|"
        r"highway[ ]contract)(?:[ ]route)?|"
        r"route|rte|rt|contract)\.?[ ]{0,2}(?:#|no\.?)?[ ]?\d{0,4}[A-Z]?(?:,?[ ]|\^)box|"
        r"box[ ]\d{1,5},[ ](?:route|rr))"
        rf"[ ]?#?[ ]?\d{{1,6}}[A-Za-z]?\b{UNITS}(?:{TOWN_STATE}|{BARE_TOWN})?)(?!\w)"
    )
