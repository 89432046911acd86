"""A name and an initial: "Richard B.". 45 CFR 164.514(b)(2)(i)(A)."""

from __future__ import annotations

import re
from typing import Final

from curbside_deidentification.domain.lexicon import Lexicon
from curbside_deidentification.recognisers.writing.names import NameRecogniser

_VALUE: Final = re.compile(
    r"[ ]?[:=]?[ ]?(?:[<>≤≥]|\d{1,4}\.\d|\d{1,4}[ ]?(?:[mnpµ]?[gm]/|%)|(?:neg(?:ative)?|elevated|normal)\b)",
    re.IGNORECASE,
)


class NameWithInitial(NameRecogniser):
    """A given name with the initial of a surname; with a value behind it, a measure: "Trop I 0.03"."""

    score = 0.8
    whole = True
    pattern = re.compile(r"(?<![\w.-])(?P<phi>[A-Z][a-z]{2,14}\s[A-Z]\.?)(?=[\s,;:)?!'’]|$)")

    def bounds(self, match: re.Match[str], lexicon: Lexicon) -> tuple[int, int] | None:
        first = match["phi"].split()[0]
        given = lexicon.is_given(first) or first.casefold() in lexicon.forenames
        if not given and _VALUE.match(match.string, match.end()):
            return None
        return super().bounds(match, lexicon)
