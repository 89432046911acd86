"""Families by their surname in the plural: "the Osgoods". 45 CFR 164.514(b)(2)(i)(A)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.lexicon import Lexicon
from curbside_deidentification.domain.patterns import WordRecogniser


class FamilyName(WordRecogniser):
    """Behind "the", a frequent surname of four letters or more that is no word, and its plural."""

    category = Category.NAME
    score = 0.75
    pattern = re.compile(r"\b[Tt]he[ ](?P<phi>(?P<name>[A-Z][^\W\d_]{3,20}?)(?:e?s))(?![\w'’-]|[ ][A-Z])")

    def bounds(self, match: re.Match[str], lexicon: Lexicon) -> tuple[int, int] | None:
        name = match["name"].casefold()
        if name not in lexicon.surnames or lexicon.is_word(name) or lexicon.is_word(match["phi"]):
            return None
        return None if name in lexicon.eponyms else match.span("phi")
