"""Hardware addresses. 45 CFR 164.514(b)(2)(i)(M)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser


class MacAddress(PatternRecogniser):
    """IEEE 802 MAC address: it names a device."""

    category = Category.DEVICE
    pattern = re.compile(
        r"\b(?:(?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}|(?:[0-9A-Fa-f]{4}\.){2}[0-9A-Fa-f]{4})\b"
    )
