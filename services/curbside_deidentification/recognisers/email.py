"""Electronic mail addresses. 45 CFR 164.514(b)(2)(i)(F)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser


class Email(PatternRecogniser):
    """Electronic mail address, (F). RFC 5321, without quoted local parts."""

    category = Category.EMAIL
    pattern = re.compile(
        r"(?<![\w.+-])[\w.+'-]{1,64}@(?:[\w-]{1,63}\.)*[\w-]{1,63}\.[A-Za-z]{2,24}\b|"
        # As people write it who do not want to be found: "jdoe at example dot org".
        r"(?<![\w.+-])[\w.+-]{1,64}\s[\[(]?(?:at|AT)[\])]?\s[\w-]{1,63}\s[\[(]?(?:dot|DOT)[\])]?\s"
        r"(?:com|org|net|edu|gov|COM|ORG|NET|EDU|GOV)\b"
    )
    score = 0.98
