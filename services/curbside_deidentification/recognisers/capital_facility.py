"""Facilities written in capitals: "GREEN VALLEY REGIONAL MEDICAL CENTER". 45 CFR 164.514(b)(2)(i)(B)."""

from __future__ import annotations

import re
from typing import ClassVar

from curbside.phi import Category
from curbside_deidentification.domain.lexicon import GENERIC, Lexicon
from curbside_deidentification.domain.patterns import WordRecogniser


class CapitalFacility(WordRecogniser):
    """A line of capitals that ends with a word for a facility, as letterheads are; something in it is a name.

    "EMERGENCY DEPARTMENT" and "FAMILY MEDICINE CLINIC" name no place: every word is one of a kind of care.
    """

    category = Category.FACILITY
    score = 0.85
    pattern = re.compile(
        r"(?m:^)[ \t]{0,40}(?P<phi>(?:[A-Z][A-Z.'’&-]{1,24}[ ]){1,6}(?:HOSPITAL|"
        r"MEDICAL[ ]CENT(?:ER|RE)|CLINIC|INFIRMARY|"
        r"HEALTH[ ](?:SYSTEM|CENTER|NETWORK|SERVICES)|HEALTHCARE|MEDICAL[ ](?:GROUP|ASSOCIATES)|"
        r"HOSPICE|NURSING[ ]HOME|"
        r"RADIOLOGY[ ]ASSOCIATES|CANCER[ ](?:CENTER|INSTITUTE)|SURGERY[ ]CENTER|"
        r"PHARMACY))(?=[ \t]{0,40}(?:,|-|(?m:$)))"
    )
    _KIND: ClassVar = frozenset("group associates department division section".split())  # noqa: SIM905

    def bounds(self, match: re.Match[str], lexicon: Lexicon) -> tuple[int, int] | None:
        words = [word.strip(".&-").casefold() for word in match["phi"].split()]
        named = [word for word in words if word and word not in GENERIC and word not in self._KIND]
        return match.span("phi") if named else None
