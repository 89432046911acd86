"""Licence plates and VINs behind their label. 45 CFR 164.514(b)(2)(i)(L)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser
from curbside_deidentification.recognisers.writing.labels import digits


class LabelledVehicle(PatternRecogniser):
    """Plates and VINs behind their label, (L)."""

    category = Category.VEHICLE
    pattern = re.compile(
        r"\b(?:VIN|licen[cs]e\ plate|plate|tag)\s{0,2}(?:numbers?|no\.?|id)?\s{0,2}(?:[#:]|is|"
        r"of)\s{0,2}\#?(?P<phi>[A-Z0-9]{1,8}[- ]?[A-Z0-9]{1,17})\b",
        re.IGNORECASE,
    )
    score = 0.93

    def valid(self, match: re.Match[str]) -> bool:
        return bool(digits(match["phi"]))
