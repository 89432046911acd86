"""Numbers of parcels under way. 45 CFR 164.514(b)(2)(i)(R)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser


class Parcel(PatternRecogniser):
    """UPS's 1Z with sixteen characters; groups of four digits, four or more (USPS Publication 199), and what
    stands behind a carrier's name."""

    category = Category.OTHER_ID
    score = 0.85
    pattern = re.compile(
        r"(?<![\w-])(?P<phi>1Z[0-9A-Z]{16}|\d{4}(?: \d{4}){3,5}(?: \d{1,3})?|"
        r"(?:(?<=\bUPS )|(?<=\bUSPS )|(?<=\bDHL )|(?<=\bFedEx )|(?<=\bFEDEX ))(?:#\s?)?[0-9A-Z]{2}\d{6,20}|"
        r"(?:(?<=\bUPS )|(?<=\bUSPS )|(?<=\bDHL )|(?<=\bFedEx )|(?<=\bFEDEX ))\d{4} \d{4} \d{4})(?![\w-])"
    )
