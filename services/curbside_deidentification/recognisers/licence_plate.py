"""Licence plates and vehicle identification numbers behind their label. 45 CFR 164.514(b)(2)(i)(L)."""

from __future__ import annotations

import re
from typing import Final

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser

_WORD: Final = (
    r"(?:\s?\([A-Za-z /]{2,20}\))?\s{0,2}(?:\b(?:numbers?|no|num|id)\b\.?)?\s{0,2}(?:[#:=(]|\b(?:is|was|"
    r"of|ending(?:\sin)?)\b)?(?:\s{0,2}ending(?:\sin)?)?"
)


class LabelledVehicle(PatternRecogniser):
    """Plates and VINs behind their label, (L). A bone plate is none: what stands behind "plate" or "tag"
    without a sign holds letters and digits, five to eight together."""

    category = Category.VEHICLE
    pattern = re.compile(
        rf"\b(?:(?P<sure>VIN|(?:licen[cs]e|lic\.?|vehicle|registration|number|car|parking)\s(?:plate|tag|"
        rf"plt)s?|"
        r"(?:parking|garage|handicap(?:ped)?|disabled|visitor|valet)\s(?:permit|placard|pass|sticker|"
        r"decal|hang\s?tag|ticket)|"
        r"(?:car|vehicle|truck|van|auto)\s(?:is\s)?(?:in|at)\s(?:the\s)?(?:lot|garage|ramp|parking(?:\slot)?)"
        r"(?:[ ]?:?(?:[ ](?-i:[A-Z]?[a-z-]{2,12}),?){1,3}(?=[ ]))?|"
        r"hull(?:\s(?:id|number|no\.?))?|(?:boat|vessel|watercraft|jet\s?ski|snowmobile|"
        r"ATV)\s(?:reg(?:istration|\.)?|number|no\.?|id)|"
        r"(?:boat|vessel|trailer|aircraft|plane),?\s(?:registration|reg)|tail\s(?:number|no\.?))|"
        rf"plates?|tags?|DMV|vehicle\s(?:reg(?:istration)?|id)){_WORD}\s{{0,2}}[#:]?\s{{0,2}}"
        r"(?P<phi>(?=[A-Z0-9 -]{0,6}\d)(?:(?-i:[A-Z]{2}[ -]?\d{4}[ -]?[A-Z]{2})|"
        r"(?-i:[A-Z]{2}\d\d[ -]?[A-Z]{3}\b)|"
        r"(?-i:[A-Z]{2} [A-Z0-9]{2,4}[ -]\d{2,4})|(?-i:[A-Z]{2,3}[ -]\d{3,4})|[A-Z0-9]{17}|"
        r"(?-i:\d{1,4}[- ][A-Z]{2,3})|"
        r"[A-Z0-9]{1,8}(?:[- ](?=[A-Z]{0,4}\d)[A-Z0-9]{1,8})?))(?![\w-]|\.\d)",
        re.IGNORECASE,
    )
    score = 0.93

    def valid(self, match: re.Match[str]) -> bool:
        value: str = match["phi"]
        letters = sum(character.isalpha() for character in value)
        count = sum(character.isdigit() for character in value)
        if match["sure"]:
            return letters + count >= 4
        return value.isupper() and letters >= 1 and count >= 2 and 5 <= letters + count <= 8
