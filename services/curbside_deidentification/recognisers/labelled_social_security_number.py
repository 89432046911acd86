"""Social security numbers behind their label, in part too. 45 CFR 164.514(b)(2)(i)(G)."""

from __future__ import annotations

import re
from typing import Final

from curbside.phi import Category
from curbside_deidentification.recognisers.writing.labels import LabelledId

_FIGURE: Final = r"[\dX*•]"
_BOX: Final = r"[ \t|]{0,3}"
_GAP: Final = r"\s{0,3}[-/.–—|_,]{0,3}\s{0,3}"


def _group(count: int) -> str:
    return rf"{_FIGURE}(?:{_BOX}{_FIGURE}){{{count - 1}}}"


class LabelledSocialSecurityNumber(LabelledId):
    """A whole number behind its label, however its groups and figures stand apart (in boxes, in lines
    of their own), or a partial one: "SSN ending in 4321"."""

    category = Category.SSN
    pattern = re.compile(
        r"\b(?:SSN?|SS\s?\#|S\.S\.N?\.?|soc(?:ial)?\.?\ sec(?:urity)?\.?|social|"
        r"I?TIN)(?:'s)?(?:[ -](?:number|no\.?|num|"
        r"\#|card))?[\s:#(|-]{0,10}(?:(?:is|was|ends?|ending)(?:\ in|\ with)?|last[ -]?(?:four|"
        r"4)(?:\ digits)?)?"
        r"(?:\ (?:is|are|of))?[\s:#()|]{0,10}(?P<phi>"
        rf"{_group(3)}{_GAP}{_group(2)}{_GAP}{_group(4)}[A-Z]?|"
        r"[\dX*•][\dX*•\- ]{2,16}\d[A-Z]?)(?![\w])",
        re.IGNORECASE,
    )
