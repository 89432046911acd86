"""Residual risk: what is left in a replaced text that still looks like an identifier."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from curbside_deidentification.domain.lexicon import Lexicon

# Placeholders are gone before counting, so that "[NAME]" is not itself suspicious.
_PLACEHOLDER: Final = re.compile(r"\[[A-Z_]+\d*\]")
_SIGNS: Final[Mapping[str, re.Pattern[str]]] = {
    "long_number": re.compile(r"(?<![\d.])\d{6,}(?!\.?\d)|\b\d{3}-\d{2}-\d{4}\b|\b\d{3}[-.]\d{4}\b"),
    "at_sign": re.compile(r"\w@\w"),
    "numeric_date": re.compile(r"\b\d{1,2}[/-]\d{1,2}[/-]\d{2,4}\b"),
    "title": re.compile(r"\b(?:Dr|Mr|Mrs|Ms)\.?\s(?=[A-Z][a-z]{2})"),
}
_NAME_LIKE: Final = re.compile(r"(?<=[a-z,;] )[A-Z][a-z]{2,}(?: [A-Z][a-z]{2,})+")


def residual_risk(
    safe: str, lexicon: Lexicon, weights: Mapping[str, float], *, known_words: int = 0
) -> float:
    """0 to 1: 1 - product of (1 - weight) over the signs left, so that one strong sign weighs as it should
    and many weak ones add up. `weights` are policy: by sign, and `name_like` for capitalised pairs of
    words, neither of which is in the vocabulary. `known_words` are the places where a known name may stand
    or the word that it also is."""
    text = _PLACEHOLDER.sub(" ", safe)
    remaining = (1 - weights["known_word"]) ** known_words
    for sign, pattern in _SIGNS.items():
        remaining *= (1 - weights[sign]) ** sum(1 for _ in pattern.finditer(text))
    for match in _NAME_LIKE.finditer(text):
        if not any(lexicon.is_word(word) for word in match[0].split()):
            remaining *= 1 - weights["name_like"]
    return round(1 - remaining, 4)
