"""Social security numbers in words, as voices and dictations leave them. 45 CFR 164.514(b)(2)(i)(G)."""

from __future__ import annotations

import re
from typing import Final

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser

_DIGIT: Final = r"zero|oh|one|two|three|four|five|six|seven|eight|nine"
_TENS: Final = r"(?:twen|thir|for|fif|six|seven|eigh|nine)ty"
_WORD: Final = (
    rf"(?:(?:{_TENS})(?:[ -]?(?:{_DIGIT}))?|(?:thir|four|fif|six|seven|eigh|nine)teen|ten|eleven|twelve|"
    rf"(?:{_DIGIT})(?:\shundred)?|double|triple|\d{{1,4}})"
)


class SpokenSocialSecurityNumber(PatternRecogniser):
    """Three words for numbers or more behind the label: "social is five three two, forty-one, seven …"."""

    category = Category.SSN
    score = 0.95
    pattern = re.compile(
        r"\b(?:SSN|soc(?:ial)?\.?\ssec(?:urity)?\.?|I?TIN|social(?=\s(?:is|was|number|no|ends|ending|last|#)))(?:'s)?(?:\s(?:number|no\.?|num))?"
        r"(?:\s(?:is|was|ends?|ending)(?:\s(?:in|with))?)?(?:\s?(?:the\s)?last\sfour(?:\sdigits)?(?:\sare)?)?"
        rf"[\s:#,–-]{{1,4}}(?P<phi>{_WORD}(?:[\s,.–-]{{1,4}}(?:dash\s)?{_WORD}){{2,10}})\b",
        re.IGNORECASE,
    )

    def valid(self, match: re.Match[str]) -> bool:
        return any(map(str.isalpha, match["phi"]))
