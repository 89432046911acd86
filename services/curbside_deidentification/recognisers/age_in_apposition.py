"""Ages of 90 and over between commas. 45 CFR 164.514(b)(2)(i)(C)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser
from curbside_deidentification.recognisers.writing.dates import NINETIES


class AgeInApposition(PatternRecogniser):
    """ "The patient, 94, is …": an age set off by commas behind a person."""

    category = Category.AGE
    score = 0.85
    pattern = re.compile(
        rf"\b(?:patient|pt|man|woman|male|female|gentleman|lady|mother|father|husband|wife|[A-Z][a-z]+),\s"
        rf"(?:aged\s)?(?P<phi>{NINETIES})(?=,\s[a-z]|\s\((?:b\.|born|DOB|YOB)[\s:])"
    )
