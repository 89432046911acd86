"""Names that their own words and the words around them make likely. 45 CFR 164.514(b)(2)(i)(A)."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Final

from curbside.phi import Category
from curbside_deidentification.domain.gate import before_eponym
from curbside_deidentification.domain.lexicon import Lexicon
from curbside_deidentification.domain.spans import Span
from curbside_deidentification.recognisers.writing.evidence import Candidate, NameReader
from curbside_deidentification.recognisers.writing.surroundings import before, behind

_BEGINNING: Final = re.compile(r"(?<![\w'’.@/^-])(?:[^\W\d_a-zß-öø-ÿ]|(?:van|von|de|del|da|di|al)[ ](?=[A-Z]))")
_LABEL: Final = 3.0
_STRONG: Final = 2.0
_ENOUGH: Final = 3.0
# Without a cue only a given name with a surname is enough: "Winifred Hand".
_ENOUGH_BY_ITSELF: Final = 3.5


class NameInContext:
    """A name adds up: what its words weigh, and what stands before and behind it.

    "Rose" weighs 1, behind "her wife" 2 more: a name. "Rose Banks, MD", "J.W. Brown is a 60-year-old".
    """

    def find(self, text: str, lexicon: Lexicon, known: Collection[str] = ()) -> Iterator[Span]:
        """`known` are parts, in small letters, of names found already: they weigh as much as a given name."""
        reader = NameReader(text, lexicon, known)
        reached = 0
        for match in _BEGINNING.finditer(text):
            if match.start() < reached:
                continue
            candidate = reader.read(match.start())
            if candidate is None:
                continue
            end = self.end(text, candidate, lexicon)
            if end is not None:
                reached = end
                yield Span(candidate.start, end, Category.NAME, 0.8, "NameInContext")

    def end(self, text: str, candidate: Candidate, lexicon: Lexicon) -> int | None:
        """Where the name ends, None where it is none."""
        left = before(text, candidate.start)
        right = behind(text, candidate.end)
        total = candidate.weight + left + right
        if total < (_ENOUGH if left or right else _ENOUGH_BY_ITSELF):
            return None
        if not candidate.listed and left < 1 and right < _STRONG:
            return None
        if before_eponym(text, candidate.end):
            return None
        if candidate.plain and len(candidate.parts) == 1 and right < _STRONG and _sentence(text, candidate.end):
            # "Patient: Well appearing"
            if left >= _LABEL or left == 0:
                return None
        return candidate.end


def _sentence(text: str, end: int) -> bool:
    return text[end : end + 1] == " " and text[end + 1 : end + 2].islower()
