"""A report's place among its patient's: a fraction that tells earlier from later, no date and no interval.

Reports arrive in any order, and a place that was told stays: between any two there is another.
"""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor


def place_between(before: str | None, after: str | None) -> str:
    """A place behind `before` and ahead of `after`; None is where there is none on that side."""
    if before is None and after is None:
        return "0"
    if after is None:
        return str(floor(Fraction(before or 0)) + 1)
    if before is None:
        return str(ceil(Fraction(after)) - 1)
    return str((Fraction(before) + Fraction(after)) / 2)
