"""Who is reached at a number: "Grace answers at 4417". 45 CFR 164.514(b)(2)(i)(A)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.lexicon import Lexicon
from curbside_deidentification.domain.patterns import WordRecogniser


class NameWithPhone(WordRecogniser):
    """A capital word that begins a sentence, is a name or no word, and is reached at a number."""

    category = Category.NAME
    score = 0.8
    pattern = re.compile(
        r"(?:(?m:^)[ \t]{0,4}|(?<=[.!?;] ))(?P<phi>[A-Z][^\W\d_]{2,20})[ ](?:is[ ])?"
        r"(?:cover(?:s|ing)|reach(?:ed|able)|available|answers?|answering|carries|carrying|waiting|waits|paged|"
        r"holds|holding|on[ -]call|responds|responding|picks[ ]up|works|working)[ ]"
        r"(?:(?:at|on|via|by|through|to)[ ](?:the[ ])?|(?=\())"
        r"(?:x|ext\.?[ ]|pager[ ]|beeper[ ]|cell[ ]|phone[ ]|\#)?(?=\(?\d{3})"
    )

    def bounds(self, match: re.Match[str], lexicon: Lexicon) -> tuple[int, int] | None:
        word = match["phi"].casefold()
        known = word in lexicon.surnames or word in lexicon.forenames or not lexicon.is_word(word)
        return match.span("phi") if known else None
