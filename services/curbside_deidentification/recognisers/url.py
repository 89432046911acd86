"""Web addresses. 45 CFR 164.514(b)(2)(i)(N)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser


class Url(PatternRecogniser):
    """Web addresses, (N). RFC 3986; without a scheme only under well-known domains."""

    category = Category.URL
    pattern = re.compile(
        r"\b(?:(?:https?|ftp)://|www\.)[^\s<>\"')\]]{3,200}[\w/]|"
        r"(?<![@\w.-])(?:[a-z0-9-]{2,63}\.){1,4}(?:com|org|net|edu|gov|mil|health|info|example|invalid|local|"
        r"internal|lan)(?::\d{2,5})?(?:/[\w./?=&%#~:-]*)?\b|"
        r"(?<![@\w.-])(?:[a-z0-9-]{2,63}\.){2,4}(?:us|uk|ca|au|nz|ie|io|co|me|tv|app|care|clinic|dev)"
        r"(?:/[\w./?=&%#~:-]*)?\b",
        re.IGNORECASE,
    )
    score = 0.95
