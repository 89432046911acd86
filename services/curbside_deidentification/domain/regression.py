"""What a detector finds of what a reviewer says is there, mention by mention."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from curbside.phi import Category
from curbside_deidentification.domain.spans import Span


@dataclass(frozen=True)
class Held:
    """Mentions found whole and not, by the reviewer's category; detected spans that are PHI, and not."""

    found: Counter[Category] = field(default_factory=Counter)
    missed: Counter[Category] = field(default_factory=Counter)
    right: int = 0
    needless: int = 0

    def worse_than(self, before: Held) -> bool:
        return self.missed.total() > before.missed.total() or self.needless > before.needless


def hold_against(gold: Sequence[Span], detected: Sequence[Span], text: str) -> Held:
    """A mention is found where every letter and digit of it is covered: half a name is a leak. A detected
    span is needless where it touches no mention."""
    covered = {place for span in detected for place in range(span.start, span.end)}
    found: Counter[Category] = Counter()
    missed: Counter[Category] = Counter()
    for span in gold:
        whole = all(place in covered for place in range(span.start, span.end) if text[place].isalnum())
        (found if whole else missed)[span.category] += 1
    of_gold = {place for span in gold for place in range(span.start, span.end)}
    right = sum(not of_gold.isdisjoint(range(span.start, span.end)) for span in detected)
    return Held(found, missed, right, len(detected) - right)
