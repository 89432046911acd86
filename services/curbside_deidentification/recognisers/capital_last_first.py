"""Names in capitals, the surname first: "WHITCOMBE, BERTIL A". 45 CFR 164.514(b)(2)(i)(A)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.gate import TOKEN
from curbside_deidentification.domain.lexicon import Lexicon
from curbside_deidentification.domain.patterns import WordRecogniser


class CapitalLastFirst(WordRecogniser):
    """Two words in capitals with a comma, neither in the vocabulary, and not of a list of abbreviations."""

    category = Category.NAME
    score = 0.8
    pattern = re.compile(
        r"(?<![\w,-])(?<!, )(?P<phi>[A-Z]['’]?[A-Z]{3,}(?:-[A-Z]{2,})?,[ ]?[A-Z]{4,}(?:[ ][A-Z]\b\.?)?)"
        r"(?![\w,-])"
    )

    def bounds(self, match: re.Match[str], lexicon: Lexicon) -> tuple[int, int] | None:
        if any(lexicon.is_word(part) for part in TOKEN.findall(match["phi"]) if len(part) > 1):
            return None
        return match.span("phi")
