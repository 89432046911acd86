"""A pager or extension behind the surname that signs: "Osgood 73976". 45 CFR 164.514(b)(2)(i)(D)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.lexicon import Lexicon
from curbside_deidentification.domain.patterns import WordRecogniser


class SurnameWithPager(WordRecogniser):
    """Four or five digits at the end of a line, behind a surname that is no word and ends the entry."""

    category = Category.PHONE
    score = 0.75
    pattern = re.compile(
        r"(?:(?<=[.!?] )|(?<=[.!?]  )|(?m:^)|(?<=[-–—] ))(?:[A-Z]\.[ ]?)?"
        r"(?P<name>[A-Z]['’]?[^\W\d_]{2,20}(?:-[A-Z][^\W\d_]{1,20})?)"
        r"(?:,?[ ](?:MD|DO|PA|PA-C|NP|RN|PGY-?\d|MS-?\d))?[ ]{1,2}#?(?P<phi>\d{4,5})(?=[ ]{0,3}(?:[\r\n]|\Z))"
    )

    def bounds(self, match: re.Match[str], lexicon: Lexicon) -> tuple[int, int] | None:
        name = match["name"]
        parts = name.casefold().split("-")
        listed = any(part in lexicon.surnames for part in parts)
        return match.span("phi") if listed or not any(lexicon.is_word(part) for part in parts) else None
