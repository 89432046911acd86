"""Facilities in a header line, between dashes or bars. 45 CFR 164.514(b)(2)(i)(B)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.lexicon import Lexicon
from curbside_deidentification.domain.patterns import WordRecogniser
from curbside_deidentification.recognisers.writing.facility_words import says_place
from curbside_deidentification.recognisers.writing.places import CAP


class PlaceInHeader(WordRecogniser):
    """ "Progress note - Pine Ridge - Room 12": two to five capitalised words that hold a line's middle."""

    category = Category.FACILITY
    score = 0.7
    pattern = re.compile(
        rf"(?<=[ \t][-–|•][ ])(?P<phi>(?:(?:St|Mt)\.[ ])?{CAP}(?:[ ](?:of[ ]|"
        rf"&[ ])?{CAP}){{1,4}})(?=[ \t]{{1,3}}[-–|•][ ])"
    )

    def bounds(self, match: re.Match[str], lexicon: Lexicon) -> tuple[int, int] | None:
        words = match["phi"].split()
        return match.span("phi") if says_place(words, lexicon) else None
