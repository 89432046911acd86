"""Electronic mail addresses. 45 CFR 164.514(b)(2)(i)(F)."""

from __future__ import annotations

import re
from typing import Final

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser

_AT: Final = r"(?:[ ]?[\[({<][ ]?(?i:at|@)[ ]?[\])}>]|[ ]{1,2}@)"
_DOT: Final = r"(?:[ ]?[\[({<][ ]?(?i:dot|\.)[ ]?[\])}>][ ]?|[ ](?:dot|DOT)[ ])"
_DOTTED: Final = rf"[ ]?(?:[\w-]{{1,63}}{_DOT}){{1,4}}"
_TOP: Final = r"(?i:com|org|net|edu|gov|mil|us|info|health)\b"


class Email(PatternRecogniser):
    """Electronic mail address, (F). RFC 5321, without quoted local parts."""

    category = Category.EMAIL
    pattern = re.compile(
        r"(?<![\w.+-])[\w.+'-]{1,64}@(?:[\w-]{1,63}\.)*[\w-]{1,63}\.[A-Za-z]{2,24}\b|"
        # As people write it who do not want to be found: "jdoe at example dot org".
        # or with brackets, "jdoe[at]example[dot]org"; and as a dictation has it: "jdoe @ example.org".
        rf"(?<![\w.+-])(?:[\w+-]{{1,32}} (?:dot|DOT) ){{0,2}}[\w.+-]{{1,64}}(?:\s(?:at|AT){_DOTTED}|"
        rf"{_AT}(?:{_DOTTED}|[ ]?(?:[\w-]{{1,63}}\.){{1,4}})){_TOP}"
    )
    score = 0.98
