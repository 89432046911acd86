"""Unique device identifiers in GS1 form. 45 CFR 164.514(b)(2)(i)(M)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser


class UniqueDeviceIdentifier(PatternRecogniser):
    """Unique device identifier in GS1 form. 21 CFR 801.40; GS1 General Specifications, section 3. And in
    HIBCC's, which begins with a plus sign (ANSI/HIBC 2.6)."""

    category = Category.DEVICE
    pattern = re.compile(
        r"\(01\)\s?\d{14}(?:\s?\((?:10|11|17|21|240|30|91)\)\s?[\w-]{1,20}){0,8}|"
        r"(?<![\w+])\+[A-Z]\d{3}[A-Z0-9]{2,18}\d(?:/\$?\$?\+?[A-Z0-9.-]{2,24}){0,3}"
    )
