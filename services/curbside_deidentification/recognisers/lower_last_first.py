"""Surname, comma, given name in small letters: "pt is osgood, ruth a.". 45 CFR 164.514(b)(2)(i)(A)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.lexicon import Lexicon
from curbside_deidentification.domain.name_words import NEVER_NAME
from curbside_deidentification.domain.patterns import WordRecogniser


class LowerLastFirst(WordRecogniser):
    """A surname and behind the comma a frequent given name. Behind whom it is of, both may be words, too."""

    category = Category.NAME
    score = 0.75
    pattern = re.compile(
        r"(?<![\w'’.,-])(?P<cue>(?:(?i:pt|patient)(?:[ ]name)?(?:[ ]is|[ ]?:)?|(?i:name)(?:[ ]is|[ ]?:))[ ])?"
        r"(?P<phi>(?P<last>(?:[^\W\d_A-Z]|['’-](?=[^\W\d_])){2,24}),[ ]?(?P<first>[^\W\d_A-Z]{2,20})"
        r"(?:[ ][a-z](?:\.|(?![\w'’.])))?)(?![\w'’-])"
    )

    def bounds(self, match: re.Match[str], lexicon: Lexicon) -> tuple[int, int] | None:
        last, first = match["last"], match["first"]
        if {last, first} & NEVER_NAME or not (first in lexicon.forenames or lexicon.is_given(first)):
            return None
        words = lexicon.is_word(last), lexicon.is_word(first)
        listed = last in lexicon.surnames
        if match["cue"]:
            return match.span("phi") if listed or not words[0] else None
        return match.span("phi") if listed and not any(words) else None
