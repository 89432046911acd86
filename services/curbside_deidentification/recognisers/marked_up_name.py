"""Names in mark-up: FHIR's JSON and XML, C-CDA, other named fields. 45 CFR 164.514(b)(2)(i)(A)."""

from __future__ import annotations

import re
from typing import Final

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser

_FIELD: Final = (
    r"(?:family|given|(?:patient|provider|physician|doctor|first|last|middle|full|given|family|"
    r"maiden|display|legal|mother)_?-?(?:s_?)?name|surname|forename)"
)
_VALUE: Final = r"[^\W\d_][^\W\d_'’., -]{0,40}(?:['’., -]{1,3}[^\W\d_][^\W\d_]{0,40}){0,4}\.?"


class MarkedUpName(PatternRecogniser):
    """The value of a field that holds a part of a name: `"family": "Osgood"`, `<given>Ruth</given>`."""

    category = Category.NAME
    score = 0.9
    pattern = re.compile(
        rf"(?i:[\"']{_FIELD}[\"']\s{{0,3}}:\s{{0,3}}\[?\s{{0,3}}(?P<quote>[\"'])|"
        rf"<{_FIELD}(?:\s[^<>]{{0,60}}?)?(?:\svalue=[\"']|>)\s{{0,3}})"
        rf"(?P<phi>{_VALUE})(?=\s{{0,3}}(?:[\"']|<))"
    )
