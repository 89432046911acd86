"""Is a text English? Cheap, from function words; a clinical text has fewer of them than prose."""

from __future__ import annotations

import re
from collections.abc import Mapping

from curbside_deidentification.domain.lexicon import Lexicon

_WORD = re.compile(r"[^\W\d_]+")


def is_english(
    text: str,
    stop_words: Mapping[str, frozenset[str]],
    lexicon: Lexicon,
    *,
    least_words: int,
    least_known: float,
) -> bool:
    """False where another language's function words outnumber English ones, where half the letters are not
    Latin, or where too few words are in the English vocabulary. Texts shorter than `least_words` pass:
    there is too little to tell by."""
    words = [word.casefold() for word in _WORD.findall(text)]
    if len(words) < least_words:
        return not words or sum(word.isascii() for word in words) * 2 >= len(words)
    counts = {language: sum(word in stops for word in words) for language, stops in stop_words.items()}
    english = counts.pop("en")
    if any(count > english and count >= 0.05 * len(words) for count in counts.values()):
        return False
    if sum(not word.isascii() for word in words) * 2 > len(words):
        return False
    return sum(lexicon.is_word(word) for word in words) >= least_known * len(words)
