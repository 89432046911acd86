"""Account numbers whose beginning is left out with points: "acct ...7732". 45 CFR 164.514(b)(2)(i)(J)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser


class ElidedNumber(PatternRecogniser):
    """Behind a word for an account or a card, or for where a number ends."""

    category = Category.ACCOUNT
    score = 0.88
    pattern = re.compile(
        r"\b(?:acc(?:oun)?ts?|a/c|card|visa|mastercard|amex|discover|debit|credit|checking|savings|bank|routing|"
        r"HSA|FSA|member|policy|invoice|ending|ends|number|no|#)\b[^\d\n]{0,24}?(?:\.{2,8}|…)[ -]?"
        r"(?P<phi>\d{3,6})(?![\w%]|[.:/-]\d)",
        re.IGNORECASE,
    )
