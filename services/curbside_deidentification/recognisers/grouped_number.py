"""Numbers in groups behind a label: "claim C-28 114 903". 45 CFR 164.514(b)(2)(i)(R)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser


class GroupedNumber(PatternRecogniser):
    """As insurers, courts and offices write them: a letter or two, then two groups of figures or more."""

    category = Category.OTHER_ID
    score = 0.9
    pattern = re.compile(
        r"\b(?i:claims?|case|comp|policy|ref(?:erence)?|file|matter|docket|voucher|application|petition|permit|"
        r"report|incident|complaint|invoice|order|member|subscriber|certificate|licen[cs]e|passport|visa)\b\.?"
        r"(?:\s?(?:#|(?i:no|nos|number|num|id)\b\.?))?\s?[:#(]?\s{0,2}"
        r"(?P<phi>[A-Z]{1,4}(?:-|[ ](?=\d{3}))\d{2,6}(?:[ -]\d{2,6}){1,4})"
        r"(?![\w%]|[-./]\d|\s?(?:mg|mL|cm|mm|units)\b)"
    )
