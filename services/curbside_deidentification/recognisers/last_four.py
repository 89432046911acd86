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
        r"\b(?:(?:card|visa|mastercard|amex|discover|account|ssn|number)\s(?:no\.?\s)?ending\s{1,2}|"
        r"ending\s(?:in|with)\s{1,2}|last[ -]?(?:four|4)(?:SSN)?(?:[ ](?:digits?|numbers?))?(?:[ ](?:of|for|"
        r"on)(?:[ ](?:the|his|her|their|my|"
        r"your|patient['’]?s?|pt['’]?s?|card|account)){0,2})?"
        r"(?:[ ](?:ssn|ss\#?|social(?:[ ]security)?(?:[ ](?:number|no\.?|\#))?|card|account))?"
        r"(?:[ ]\([a-z ]{2,16}\))?[ ]{0,2}(?:are|is|were|was)?[ ]?[:#=(\",]{0,2}[ ]{0,2})"
        r"(?:[X*]{2,12}[- ]?){0,3}(?P<phi>\d{4})(?![\w%]|\.\d)",
        re.IGNORECASE,
    )
