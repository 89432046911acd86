"""Names in any case behind "my name is". 45 CFR 164.514(b)(2)(i)(A)."""

from __future__ import annotations

import re
from typing import ClassVar

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser


class IntroducedName(PatternRecogniser):
    """One to three words behind "my name is", "name:", up to what ends the sentence or line."""

    category = Category.NAME
    score = 0.85
    pattern = re.compile(
        r"\b(?:(?:my|his|her|their)(?:\s(?:first|last|full|maiden))?\sname\sis|"
        r"(?m:^)[ \t]{0,4}(?:full\s|patient\s)?name[ ]?:|user(?:name)?[ ]?:)"
        r"[ ]{1,3}(?P<phi>[^\W\d_](?:[^\W\d_]|['’.-](?=[^\W\d_])){1,30}(?:[ ][^\W\d_](?:[^\W\d_]|"
        r"['’-]){0,30}(?:(?<=[ ][A-Z])\.)?){0,3})"
        r"(?=[ ]{0,2}(?:[.,;!?\r\n]|$))",
        re.IGNORECASE,
    )
    _NO_NAME: ClassVar = frozenset(
        "not unknown none on in withheld the listed above below spelled misspelled pending illegible".split()  # noqa: SIM905
    )

    def valid(self, match: re.Match[str]) -> bool:
        return self._NO_NAME.isdisjoint(match["phi"].casefold().split())
