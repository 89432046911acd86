"""Payment card numbers behind their label, mistyped ones too. 45 CFR 164.514(b)(2)(i)(J)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser
from curbside_deidentification.recognisers.writing.labels import digits


class CardNumber(PatternRecogniser):
    """12 to 19 digits behind "card": ISO/IEC 7812-1 without the check digit, since people mistype."""

    category = Category.ACCOUNT
    score = 0.93
    pattern = re.compile(
        r"\bcard(?:[ ](?:number|no\.?|num|is|was|"
        r"#)){0,2}[ ]?[:#]?[ ]{0,2}(?P<phi>\d[\d -]{10,24}\d)(?![\w-])",
        re.IGNORECASE,
    )

    def valid(self, match: re.Match[str]) -> bool:
        return 12 <= len(digits(match["phi"])) <= 19
