"""The last digits of a social security number: "last four: 4321". 45 CFR 164.514(b)(2)(i)(G)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser


class LastFour(PatternRecogniser):
    """Four digits that a text says are the last of a number.

    SSA masks numbers so (20 CFR 401.100 notices).
    """

    category = Category.SSN
    score = 0.9
    pattern = re.compile(
        r"\blast[ -](?:four|4)(?:[ ]digits)?(?:[ ](?:of|for)(?:[ ](?:the|his|her|their|my|your))?"
        r"(?:[ ](?:ssn|social(?:[ ]security)?(?:[ ]number)?))?)?[ ]{0,2}(?:are|is|"
        r"[:#=(]){0,2}[ ]{0,2}(?P<phi>\d{4})(?!\w)",
        re.IGNORECASE,
    )
