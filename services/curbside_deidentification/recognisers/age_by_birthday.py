"""Ages of 90 and over by the birthday: "her 95th birthday", "his ninetieth". 45 CFR 164.514(b)(2)(i)(C)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser
from curbside_deidentification.recognisers.writing.dates import NINETIES, UNITS


class AgeByBirthday(PatternRecogniser):
    """The ordinal before "birthday", in figures or in words."""

    category = Category.AGE
    score = 0.92
    pattern = re.compile(
        rf"\b(?P<phi>{NINETIES}\s?(?:st|nd|rd|th)|ninetieth|ninety[- ](?:{UNITS})|"
        rf"(?:one\s)?hundredth|(?:one|a)\shundred[- ](?:and[- ])?(?:{UNITS}))"
        r"(?=\s(?:birthday|b-?day)\b)",
        re.IGNORECASE,
    )


class AgeBehindBirth(PatternRecogniser):
    """In brackets behind the day of birth: "DOB: Oct 7, 1920 (97)"."""

    category = Category.AGE
    score = 0.92
    pattern = re.compile(
        r"\b(?:dob|d\.o\.b\.?|born|birth\s?date|date\sof\sbirth)\b[^\n()]{3,30}\d\s?\((?:age\s)?"
        rf"(?P<phi>{NINETIES})(?=\s?(?:y(?:rs?|ears?|/?o)?\.?)?\))",
        re.IGNORECASE,
    )
