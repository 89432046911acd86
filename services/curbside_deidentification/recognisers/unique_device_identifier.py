"""Unique device identifiers in GS1 form. 45 CFR 164.514(b)(2)(i)(M)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser


class UniqueDeviceIdentifier(PatternRecogniser):
    """Unique device identifier in GS1 form. 21 CFR 801.40; GS1 General Specifications, section 3."""

    category = Category.DEVICE
    pattern = re.compile(r"\(01\)\s?\d{14}(?:\s?\((?:10|11|17|21)\)\s?[\w-]{1,20})*")
