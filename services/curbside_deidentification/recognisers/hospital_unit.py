"""Wards and rooms: "Ward 7B", "Room 412". 45 CFR 164.514(b)(2)(i)(B)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser


class HospitalUnit(PatternRecogniser):
    """A ward, room, bed or floor with its number tells where in a house somebody was, and so who."""

    category = Category.LOCATION
    score = 0.75
    pattern = re.compile(
        r"\b(?:Ward|WARD|Room|ROOM|Rm\.?|RM)[ ]?(?:No\.?|"
        r"#)?[ ]?(?P<phi>\d{1,4}[A-Z]?(?:-\d{1,2})?)\b(?![.,]\d|[ ]?(?:air|cc|mL))"
    )
