"""Social security numbers behind their label, in part too. 45 CFR 164.514(b)(2)(i)(G)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.recognisers.writing.labels import LabelledId


class LabelledSocialSecurityNumber(LabelledId):
    """A whole or partial number behind its label: "SSN ending in 4321"."""

    category = Category.SSN
    pattern = re.compile(
        r"\b(?:SSN?|SS\s?\#|S\.S\.N?\.?|soc(?:ial)?\.?\ sec(?:urity)?\.?|social|"
        r"I?TIN)(?:'s)?(?:[ -](?:number|no\.?|num|"
        r"\#|card))?[\s:#(|-]{0,10}(?:(?:is|was|ends?|ending)(?:\ in|\ with)?|last[ -]?(?:four|"
        r"4)(?:\ digits)?)?"
        r"(?:\ (?:is|are|of))?[\s:#()|]{0,10}(?P<phi>[\dX*•][\dX*•\- ]{2,16}\d[A-Z]?)(?![\w])",
        re.IGNORECASE,
    )
