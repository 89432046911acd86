"""Names by themselves in a line: an address block, a signature. 45 CFR 164.514(b)(2)(i)(A)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.gate import TOKEN
from curbside_deidentification.domain.lexicon import Lexicon
from curbside_deidentification.domain.patterns import WordRecogniser


class NameInLine(WordRecogniser):
    """A line of two or three capitalised words and perhaps an initial, none of them in the vocabulary."""

    category = Category.NAME
    score = 0.7
    pattern = re.compile(
        r"(?m:^)[>?| \t]{0,12}(?P<phi>[^\W\d_a-zß-öø-ÿ][^\W\d_]{1,30}(?:[-'’][^\W\d_]{1,30}){0,2}"
        r"(?:[ ][A-Z]\.?)?(?:[ ][^\W\d_a-zß-öø-ÿ][^\W\d_]{1,30}"
        r"(?:[-'’][^\W\d_]{1,30}){0,2}){1,2})[ \t]{0,8}(?=[\r\n]|$)"
    )

    def bounds(self, match: re.Match[str], lexicon: Lexicon) -> tuple[int, int] | None:
        words = [word for word in TOKEN.findall(match["phi"]) if len(word) > 1]
        unknown = all(word[1:].islower() and not lexicon.is_word(word) for word in words)
        return match.span("phi") if unknown else None
