"""Vehicle identification numbers by their check digit. 45 CFR 164.514(b)(2)(i)(L)."""

from __future__ import annotations

import re
from typing import ClassVar

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser


class VehicleIdentification(PatternRecogniser):
    """Vehicle identification number with its check digit, (L). 49 CFR 565.15(c)."""

    category = Category.VEHICLE
    pattern = re.compile(r"\b[A-HJ-NPR-Z0-9]{8}[0-9X][A-HJ-NPR-Z0-9]{8}\b")

    _VALUES: ClassVar = dict(zip("ABCDEFGHJKLMNPRSTUVWXYZ", map(int, "12345678123457923456789"), strict=True))
    _WEIGHTS: ClassVar = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)

    def valid(self, match: re.Match[str]) -> bool:
        total = sum(
            weight * (int(character) if character.isdigit() else self._VALUES[character])
            for weight, character in zip(self._WEIGHTS, match[0], strict=True)
        )
        return "0123456789X"[total % 11] == match[0][8]
