"""Names in small letters behind what they are of: "pt maria osgood". 45 CFR 164.514(b)(2)(i)(A)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.lexicon import Lexicon
from curbside_deidentification.domain.name_words import NEVER_NAME
from curbside_deidentification.domain.patterns import WordRecogniser
from curbside_deidentification.recognisers.writing.names import KIN


class LowerName(WordRecogniser):
    """A frequent given name, and a frequent surname behind it; one alone where it is no word."""

    category = Category.NAME
    score = 0.75
    pattern = re.compile(
        rf"\b(?i:{KIN}|pt|patient|spoke (?:with|to|w/)|called|name is|named|mr|mrs|ms|dr|baby|nurse|"
        r"roommate|relieved by|(?:report|handoff) (?:from|to)|, (?:rn|lpn|cna))[.:,]?[ ]"
        r"(?P<phi>(?P<first>[^\W\d_A-Z]{2,20})"
        r"(?P<second>(?:[ ][a-z])?[ ](?:[^\W\d_A-Z]|['’-](?=[^\W\d_])){2,24})?)(?![\w'’])"
    )

    def bounds(self, match: re.Match[str], lexicon: Lexicon) -> tuple[int, int] | None:
        first, second = match["first"], (match["second"] or "").split()[-1:]
        if first in NEVER_NAME:
            return None
        if first in lexicon.surnames and not lexicon.is_word(first) and first not in lexicon.forenames:
            return match.span("first")
        if not (first in lexicon.forenames or lexicon.is_given(first)):
            return None
        surname = bool(second) and second[0] not in NEVER_NAME
        surname = surname and (second[0] in lexicon.surnames or not lexicon.is_word(second[0]))
        if lexicon.is_word(first) and not surname:
            return None
        return match.start("phi"), match.end("second" if surname else "first")
