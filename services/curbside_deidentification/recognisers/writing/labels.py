"""Values behind a label: "MRN: 1", "account no. 1". An identifier next to its label is found by the label."""

from __future__ import annotations

import re
from typing import Final

from curbside_deidentification.domain.patterns import PatternRecogniser

# Between a label and its value: "MRN: 1", "MRN# 1", "MRN number is 1", "MRN (1)". Bounded, so that a long
# row of dashes costs no time.
_JOIN: Final = (
    r"(?:\s{0,3}(?:\b(?:numbers?|num|no|nbr|id|is|was|listed as|on file)\b\.?|[#:=(.\-])){0,4}\s{0,3}"
)
# A weak label ("case", "order") is a plain word too: it counts only with a sign or "number" behind it.
_WEAK_JOIN: Final = r"\s{0,2}(?:(?:numbers?|num|no|nbr|id)\b\.?\s{0,2}[#:]?|[#:])\s{0,2}[#:]?\s{0,2}"
_VALUE: Final = (
    r"(?P<phi>\d{2,4}(?: \d{2,4}){1,3}(?![\w-])|#?[A-Za-z0-9]{1,24}(?:[-./_]?[A-Za-z0-9]{1,24}){0,6})"
)
_YEAR: Final = re.compile(r"(?:19|20)\d\d")


def labelled(strong: str, weak: str = "") -> re.Pattern[str]:
    """A pattern for a value behind one of `strong` labels, or behind a `weak` one with a sign between."""
    branches = [rf"\b(?:{strong})(?![a-z]){_JOIN}"] + ([rf"\b(?:{weak}){_WEAK_JOIN}"] if weak else [])
    return re.compile(rf"(?:{'|'.join(branches)}){_VALUE}", re.IGNORECASE)


def digits(value: str) -> str:
    return "".join(character for character in value if character.isdigit())


class LabelledId(PatternRecogniser):
    """A value behind its label: it has three digits or more and is not a bare year."""

    score = 0.95

    def valid(self, match: re.Match[str]) -> bool:
        value = match["phi"]
        return len(digits(value)) >= 3 and not _YEAR.fullmatch(value)
