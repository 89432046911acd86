"""Telephone numbers behind a verb: "answering at", "messages to". 45 CFR 164.514(b)(2)(i)(D)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser
from curbside_deidentification.recognisers.writing.labels import digits


class SpokenPhone(PatternRecogniser):
    """Seven digits or more in groups behind a verb of calling or writing."""

    category = Category.PHONE
    score = 0.85
    pattern = re.compile(
        r"\b(?:answer(?:ing|ed|s)?|reach(?:ed|able)?(?:[ ](?:him|her|them|me|us))?|call(?:s|ed|"
        r"ing)?(?:[ ](?:him|her|them|me|us|back))?|"
        r"text(?:s|ed)?|messages?|dial(?:ed)?|ring|rang|registered(?:[ ](?:phone|mobile|number)){0,2})"
        r"[ ]?(?:at|on|to|from|is)?[ ]{0,2}:?[ ]{0,2}(?P<phi>[+(]?\d[\d ()-]{5,18}\d)(?![\w%-]|[.,/]\d)",
        re.IGNORECASE,
    )

    def valid(self, match: re.Match[str]) -> bool:
        return 7 <= len(digits(match["phi"])) <= 15
