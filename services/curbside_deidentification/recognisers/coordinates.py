"""Coordinates of a place: "40.7128, -74.0060". 45 CFR 164.514(b)(2)(i)(B)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser


class Coordinates(PatternRecogniser):
    """Latitude and longitude by ISO 6709, in degrees with four decimals or more (some ten metres), with fewer
    behind a label or before a quarter, or in minutes and seconds. Two small decimals are findings."""

    category = Category.LOCATION
    score = 0.88
    pattern = re.compile(
        r"(?:(?P<label>\b(?i:gps|coord(?:inate)?s?|lat(?:itude)?(?:[ ]?/[ ]?lon(?:g(?:itude)?)?)?|"
        r"geo(?:tag|location)?|map[ ]pin|pin)\b[^\d\n-]{0,16})|(?<![\w.,-]))"
        r"(?P<phi>(?P<latitude>[+-]?\d{1,2}\.\d{2,10})(?:[ ]?°)?(?P<north>[ ]?[NS]\b)?"
        r"(?:[ ]?[,;/][ ]{0,2}|[ ]{1,2})(?i:lon(?:g(?:itude)?)?[ :]{1,2})?"
        r"(?P<longitude>[+-]?\d{1,3}\.\d{2,10})(?:[ ]?°)?(?:[ ]?[EW]\b)?|"
        r"\d{1,2}°[ ]?\d{1,2}['′’](?:[ ]?\d{1,2}(?:\.\d{1,4})?[\"″”])?[ ]?[NS][,; ]{1,3}"
        r"\d{1,3}°[ ]?\d{1,2}['′’](?:[ ]?\d{1,2}(?:\.\d{1,4})?[\"″”])?[ ]?[EW])(?![\w%]|\.\d)"
    )

    def valid(self, match: re.Match[str]) -> bool:
        if match["latitude"] is None:
            return True
        latitude, longitude = float(match["latitude"]), float(match["longitude"])
        if abs(latitude) > 90 or abs(longitude) > 180:
            return False
        if match["label"] is not None or match["north"] is not None:
            return True
        decimals = min(len(match[part].partition(".")[2]) for part in ("latitude", "longitude"))
        return decimals >= 4 and (min(latitude, longitude) < 0 or min(latitude, longitude) >= 10)
