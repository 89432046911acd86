"""Post office boxes. 45 CFR 164.514(b)(2)(i)(B)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser


class PostBox(PatternRecogniser):
    """Post office boxes. USPS Publication 28, section 28."""

    category = Category.LOCATION
    pattern = re.compile(r"\bP\.?\s?O\.?\s?Box\s+\d{1,7}\b", re.IGNORECASE)
