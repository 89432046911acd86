"""Identifying numbers without a label. 45 CFR 164.514(b)(2)(i)(R)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser
from curbside_deidentification.recognisers.writing.labels import digits


class BareId(PatternRecogniser):
    """An identifier whose form is enough: letters with five digits, or hyphenated groups of digits.

    Trial registrations (NCT, ISRCTN, EudraCT) are public and stay. ICD, CPT and LOINC codes are shorter.
    """

    category = Category.OTHER_ID
    pattern = re.compile(
        r"(?<![\w.,/-])(?P<phi>\#?(?:[A-Z]{1,5}-?\d{5,12}(?:-\d{1,6})?|"
        r"[A-Z]{1,3}\d{2}-\d{3,7}|\d{2,5}-\d{2,5}-\d{2,6}|\d{7,16}|[A-Z]{2,4}-\d{3,4}-\d{3,4}|"
        r"\d{4,6}[A-Z]{1,3}\d{0,6}))(?![\w/-]|\.\d)"
    )
    score = 0.8

    def valid(self, match: re.Match[str]) -> bool:
        value = match["phi"]
        if value.startswith(("NCT", "ISRCTN", "PMID", "ICD", "CPT")):
            return False
        if value[:1].isdigit() and value[-1:].isalpha():
            return len(digits(value)) >= 5  # "5000U" and "2000MG" are doses
        return len(digits(value)) >= (5 if value[:1].isalpha() else 6)
