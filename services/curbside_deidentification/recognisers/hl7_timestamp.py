"""Times of HL7 v2 with their zone. 45 CFR 164.514(b)(2)(i)(C)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser


class Hl7Timestamp(PatternRecogniser):
    """20230412143000.0000-0500. HL7 v2.5.1, section 2.A.22, data type DTM."""

    category = Category.DATE
    score = 0.9
    pattern = re.compile(
        r"(?<![\w.-])(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:[0-2]\d(?:[0-5]\d(?:[0-5]\d"
        r"(?:\.\d{1,4})?)?)?)?[+-](?:0\d|1[0-4])[0-5]\d(?![\w-])"
    )
