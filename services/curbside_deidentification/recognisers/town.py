"""Towns of the United States by name. 45 CFR 164.514(b)(2)(i)(B)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from curbside.phi import Category
from curbside_deidentification.domain.lexicon import Lexicon, towns
from curbside_deidentification.domain.spans import Span


class Town:
    """The towns and states of data/places.txt; those that are also a word or a given name are not in it.

    "Boston Scientific" makes devices."""

    def __init__(self) -> None:
        longest_first = sorted(towns(), key=len, reverse=True)
        self._pattern = re.compile(
            rf"(?<![\w-])(?:{'|'.join(map(re.escape, longest_first))})(?![\w-]|[ ]Scientific\b)"
        )

    def find(self, text: str, lexicon: Lexicon) -> Iterator[Span]:
        for match in self._pattern.finditer(text):
            yield Span(match.start(), match.end(), Category.LOCATION, 0.75, "Town")
