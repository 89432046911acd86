"""Facilities in a header line, between dashes or bars. 45 CFR 164.514(b)(2)(i)(B)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from curbside.phi import Category
from curbside_deidentification.domain.lexicon import Lexicon, town_key, town_states
from curbside_deidentification.domain.patterns import WordRecogniser
from curbside_deidentification.domain.spans import Span
from curbside_deidentification.recognisers.writing.facility_words import says_place
from curbside_deidentification.recognisers.writing.places import CAP

# The last column of a line between bars, where it is a town's name: "Acute Medical Unit | Osgood".
_LAST: Final = re.compile(rf"[ ][|•][ ](?P<phi>{CAP}(?:[ ]{CAP}){{0,2}})(?=[ \t]{{0,9}}[\r\n])")
_HEAD: Final = 240  # characters


class PlaceInHeader(WordRecogniser):
    """ "Progress note - Pine Ridge - Room 12": two to five capitalised words that hold a line's middle."""

    category = Category.FACILITY
    score = 0.7
    pattern = re.compile(
        rf"(?<=[ \t][-–|•][ ])(?P<phi>(?:(?:St|Mt)\.[ ])?{CAP}(?:[ ](?:of[ ]|"
        rf"&[ ])?{CAP}){{1,4}})(?=[ \t]{{1,3}}[-–|•][ ])"
    )

    def find(self, text: str, lexicon: Lexicon) -> Iterator[Span]:
        yield from super().find(text, lexicon)
        for match in _LAST.finditer(text, 0, _HEAD):
            if town_key(match["phi"]) in town_states():
                yield Span(*match.span("phi"), Category.LOCATION, self.score, "PlaceInHeader")

    def bounds(self, match: re.Match[str], lexicon: Lexicon) -> tuple[int, int] | None:
        words = match["phi"].split()
        return match.span("phi") if says_place(words, lexicon) else None
