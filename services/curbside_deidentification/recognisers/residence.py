"""Homes and estates by the last word of their name: "from Aspen Court". 45 CFR 164.514(b)(2)(i)(B)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.lexicon import GENERIC, Lexicon
from curbside_deidentification.domain.patterns import WordRecogniser


class Residence(WordRecogniser):
    """Behind a word that places somebody, one or two capitalised words that describe no kind of care."""

    category = Category.LOCATION
    score = 0.72
    pattern = re.compile(
        r"\b(?i:from|at|to|in|near|outside|resident\sof|SNF|ALF|LTC|facility)[ :]{1,2}(?:[Tt]he[ ])?"
        r"(?P<phi>(?P<own>[A-Z][a-z'’.]{2,15}(?:[ ][A-Z][a-z'’]{2,15})?)[ ]"
        r"(?:Court|Manor|Village|Terrace|Pointe|Gardens|"
        r"Glen|Oaks|Pines|Meadows?|Commons|Heights|Estates|Acres|Ranch|Villas?|Lodge|Hills|Ridge|"
        r"Grove|Springs|Woods|"
        r"Creek|Landing|Crossing|"
        r"Towers|Apartments|Hollow|Haven|Harbor|Shores|Assisted[ ]Living|Senior[ ]Living|"
        r"Care[ ]Center|Convalescent|Rehab))(?![\w-])"
    )

    def bounds(self, match: re.Match[str], lexicon: Lexicon) -> tuple[int, int] | None:
        own = [word.casefold() for word in match["own"].split()]
        return None if all(word in GENERIC for word in own) else match.span("phi")
