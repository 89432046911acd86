"""Universities, colleges and institutes "of" something. 45 CFR 164.514(b)(2)(i)(B)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.lexicon import Lexicon
from curbside_deidentification.domain.patterns import WordRecogniser
from curbside_deidentification.recognisers.writing.facilities import own_name
from curbside_deidentification.recognisers.writing.places import BEFORE, CAP


class University(WordRecogniser):
    """ "University of Bywater", "Bywater College Hospital"."""

    category = Category.FACILITY
    score = 0.85
    pattern = re.compile(
        rf"{BEFORE}(?P<phi>(?:University|College|Hospital|Clinic|"
        rf"Institute)\s+of\s+(?:the\s+)?{CAP}(?:(?:[ ]|,\s|\sat\s){CAP}){{0,3}}|"
        rf"{CAP}(?:[ ]{CAP}){{0,2}}[ ](?:University|College|Nursing Home)(?:\s+(?:Hospital|"
        rf"Medical\s+Center|Health))?)(?!\w)"
    )

    def bounds(self, match: re.Match[str], lexicon: Lexicon) -> tuple[int, int] | None:
        start, end = match.span("phi")
        opening = own_name(match.string, start, end, lexicon)
        return None if opening is None else (opening, end)
