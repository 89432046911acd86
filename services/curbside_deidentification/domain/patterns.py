"""What every recogniser is: a category, a pattern, a score, and one validator.

Each finds mentions of one identifier in a text. `PatternRecogniser` needs the text alone, `WordRecogniser`
holds what it finds against the vocabulary, so that headings, drugs and eponyms stay.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import ClassVar, Protocol

from curbside.phi import Category
from curbside_deidentification.domain.lexicon import Lexicon
from curbside_deidentification.domain.searching import matches
from curbside_deidentification.domain.spans import Span


class Recogniser(Protocol):
    """Finds one identifier; `lexicon` is the vocabulary of this document."""

    def find(self, text: str, lexicon: Lexicon) -> Iterator[Span]: ...


class PatternRecogniser:
    """Finds `pattern` and keeps what `valid` accepts. Subclasses cite the authority of their format.

    The span is the group named `phi` where the pattern has one, else the whole match: a label such as
    "MRN:" stays readable and only its value goes.
    """

    category: ClassVar[Category]
    pattern: ClassVar[re.Pattern[str]]
    score: ClassVar[float] = 0.9

    def valid(self, match: re.Match[str]) -> bool:
        """Whether `match` is what the pattern means; a checksum, a range, or the words around it."""
        return True

    def find(self, text: str, lexicon: Lexicon | None = None) -> Iterator[Span]:
        group = "phi" if "phi" in self.pattern.groupindex else 0
        for match in matches(self.pattern, text):
            if match.end(group) > match.start(group) and self.valid(match):
                yield Span(
                    match.start(group), match.end(group), self.category, self.score, type(self).__name__
                )


class WordRecogniser:
    """Finds `pattern` and keeps the part of its group `phi` that `bounds` names."""

    category: ClassVar[Category]
    pattern: ClassVar[re.Pattern[str]]
    score: ClassVar[float] = 0.85

    def bounds(self, match: re.Match[str], lexicon: Lexicon) -> tuple[int, int] | None:
        """Where the identifier in `match` begins and ends in the text, or None where it is none."""
        raise NotImplementedError

    def find(self, text: str, lexicon: Lexicon) -> Iterator[Span]:
        for match in matches(self.pattern, text):
            kept = self.bounds(match, lexicon)
            if kept is not None:
                yield Span(*kept, self.category, self.score, type(self).__name__)
