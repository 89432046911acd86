"""Social security numbers behind their label, in part too. 45 CFR 164.514(b)(2)(i)(G)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.recognisers.writing.labels import LabelledId


class LabelledSocialSecurityNumber(LabelledId):
    """A whole or partial number behind its label: "SSN ending in 4321"."""

    category = Category.SSN
    pattern = re.compile(
        r"\b(?:SSN|SS\#|social\ security|social)(?:'s)?(?:\ (?:number|no\.?|num|"
        r"\#))?[\s:#(]{0,10}(?:is|ending(?:\ in|\ with)?|last\ (?:four|4))?"
        r"[\s:#(]{0,10}(?P<phi>[\dX*][\dX*\- ]{2,12}\d)",
        re.IGNORECASE,
    )
