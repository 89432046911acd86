"""Extensions of one or two figures: "front desk, ext 9". 45 CFR 164.514(b)(2)(i)(D)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser


class ShortExtension(PatternRecogniser):
    """Behind a word for who is called, or a number: elsewhere "ext 5" is a joint's extension, "Ext: 2+" is of
    limbs, and "x10" says how often."""

    category = Category.PHONE
    score = 0.8
    pattern = re.compile(
        r"(?:\b(?:phones?|tel|telephone|cell|office|desk|reception|dial|reach(?:ed)?|contact|line|switchboard|"
        r"operator|front\sdesk|clinic|registrar|scheduling|schedulers?|billing|pharmacy|call(?:\sback)?|number|"
        r"callback|voice\s?mail|secretary)\b(?:\s(?:at|on|to|is|him|her|them|me|us)){0,2}|"
        r"\d{3}[-. ]?\d{4}(?:\s?\([a-z ]{1,8}\))?)\s?[.,;:(–-]?\s{0,2}"
        r"(?:ext(?:ension)?\b\.?\s?[:#]?\s?|x(?=\d\d(?!\d)))(?P<phi>\d{1,2})"
        r"(?![\w%+°/-]|[.,:]\d|\s?(?:deg|cm|mm|min|days?|times|weeks?))",
        re.IGNORECASE,
    )
