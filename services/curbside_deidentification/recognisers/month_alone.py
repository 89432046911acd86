"""Months without a day. 45 CFR 164.514(b)(2)(i)(C)."""

from __future__ import annotations

import re
from typing import Final

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser

_SHORT: Final = "Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec"
# Behind these a word in capitals, or in small letters, is a month; behind the others one with a capital.
_PLACED: Final = re.compile(
    r"\b(?:in|since|until|till|early|late|mid|during|before|after|through|last|next|LMP|Rx|"
    r"(?:week|end|beginning|middle|month|admitted|seen|visit|scan)\s(?:of|for|in)?)(?:\s{1,2}|-)\Z",
    re.IGNORECASE,
)
_PLACED_TOO: Final = re.compile(
    r"\b(?:of|by|from|to|this|past|around|about|for|previous|coming|following|and|or)(?:\s{1,2}|-)\Z",
    re.IGNORECASE,
)
_ENDED: Final = re.compile(r"\s?(?:[.,;:)|\n]|\Z)")
_EITHER: Final = frozenset(("may", "march"))
# MAR in capitals is a medication administration record, OCT a tomography and a drug.
_OTHERS: Final = frozenset(("MAR", "OCT"))


class MonthAlone(PatternRecogniser):
    """A month by itself is an element of a date. "May" and "March" need a word that makes them months, and
    so do abbreviations."""

    category = Category.DATE
    score = 0.82  # over a name that nothing but its place in the sentence tells
    pattern = re.compile(
        r"\b(?=[JFMASONDjfmasond])(?P<phi>(?i:(?P<full>January|February|April|June|July|August|September|"
        r"October|"
        rf"November|December)|May|March|{_SHORT}))\b"
        r"(?!-(?i:Thurner|Hegglin|Grunwald|Gr[uü]nwald)|\s(?i:fracture|h[ae]?emoglobinuria|be|not|have)\b)"
    )

    def valid(self, match: re.Match[str]) -> bool:
        if match["full"]:
            return True
        month, start = match["phi"], match.start()
        window = max(0, start - 12)
        if month in _OTHERS or (month.islower() and month not in _EITHER):
            return False
        if _PLACED.search(match.string, window, start):
            return True
        if month.casefold() in _EITHER and not month.islower() and _ENDED.match(match.string, match.end()):
            return True  # "may" never ends a clause
        sure = month.casefold() in _EITHER and not month.islower() and not month.isupper()
        return sure and _PLACED_TOO.search(match.string, window, start) is not None
