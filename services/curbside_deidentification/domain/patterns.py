"""What every pattern recogniser is: a category, a pattern, a score, and one validator."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import ClassVar

from curbside.phi import Category
from curbside_deidentification.domain.spans import Span


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

    def find(self, text: str) -> Iterator[Span]:
        group = "phi" if "phi" in self.pattern.groupindex else 0
        for match in self.pattern.finditer(text):
            if match.end(group) > match.start(group) and self.valid(match):
                yield Span(
                    match.start(group), match.end(group), self.category, self.score, type(self).__name__
                )
