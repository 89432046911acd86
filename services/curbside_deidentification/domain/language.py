"""Is a text English? Cheap, from scripts and function words; clinical texts have fewer than prose."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

from curbside_deidentification.domain.lexicon import Lexicon, abbreviations
from curbside_deidentification.domain.message import is_message, prose

_WORD: Final = re.compile(r"[^\W\d_]+")
_SHORTEST: Final = 3  # letters: fewer are initials and units
# English is written in Latin letters; Greek ones are symbols in it ("β-blocker", "µg"), and the modifier
# letters are apostrophes and accents.
_OF_ENGLISH: Final = ("LATIN ", "GREEK ", "MODIFIER LETTER ")


@dataclass(frozen=True, slots=True)
class LanguageRules:
    """The thresholds and words of policy.yaml, `language`."""

    least_words: int
    least_known: float
    most_other_letters: int
    most_other_share: float
    short_least_words: int
    short_least_hits: int
    stop_words: Mapping[str, frozenset[str]]


def is_english(text: str, rules: LanguageRules, lexicon: Lexicon) -> bool:
    """False where letters are of other scripts, where another language's function words outnumber English
    ones, or where too few words that are no names or abbreviations are in the English vocabulary.

    Texts shorter than `rules.least_words` are judged by script and function words alone, and those
    shorter than `rules.short_least_words` by script: there is too little to tell by. Of an HL7 message its
    prose is judged.
    """
    if _in_another_script(text, rules):
        return False
    if is_message(text):
        text = prose(text)
    found = _WORD.findall(text)
    words = [word.casefold() for word in found]
    if len(words) < rules.least_words:
        if sum(word.isascii() for word in words) * 2 < len(words):
            return False
        return len(words) < rules.short_least_words or not _short_and_foreign(found, rules)
    counts = _hits(_telling(found), rules)
    english = counts.pop("en")
    if any(count > english and count >= 0.05 * len(words) for count in counts.values()):
        return False
    if sum(not word.isascii() for word in words) * 2 > len(words):
        return False
    judged = Counter(word for word in found if not _of_no_language(word, lexicon))
    if judged.total() * 2 < rules.least_words:
        return True
    known = sum(count for word, count in judged.items() if lexicon.is_word(word))
    return known >= rules.least_known * judged.total()


def _of_no_language(word: str, lexicon: Lexicon) -> bool:
    """Names and abbreviations, of which a sheet, a list or a log may hold more than words."""
    low = word.casefold()
    if lexicon.is_word(word):
        return False
    listed = low in lexicon.surnames or low in lexicon.forenames or low in lexicon.given
    return listed or low in abbreviations() or len(word) < _SHORTEST or word.istitle()


def _in_another_script(text: str, rules: LanguageRules) -> bool:
    """Whether the text has too many letters of other scripts; English headings do not outweigh them."""
    if text.isascii():
        return False
    counted = Counter(text)
    letters = sum(count for letter, count in counted.items() if letter.isalpha())
    others = sum(count for letter, count in counted.items() if _is_of_another_script(letter))
    return others > rules.most_other_letters or others > rules.most_other_share * letters


@cache
def _is_of_another_script(letter: str) -> bool:
    if letter.isascii() or not letter.isalpha():
        return False
    # Compatibility forms by what they stand for: "ª" is an a, "㎎" is "mg", a half-width kana is a kana.
    plain = unicodedata.normalize("NFKC", letter)[0]
    return not plain.isascii() and not unicodedata.name(plain, "").startswith(_OF_ENGLISH)


def _short_and_foreign(found: list[str], rules: LanguageRules) -> bool:
    """Whether some other language has enough function words, and more than English."""
    counts = _hits(_telling(found), rules)
    english = counts.pop("en")
    return any(count >= rules.short_least_hits and count > english for count in counts.values())


def _telling(found: list[str]) -> list[str]:
    """The words that may be function words.

    Capitals amid small letters are abbreviations, and several are spelt as function words: "LA", "DES", "IM".
    So are single letters: "I", "y/o".
    """
    capitals = all(word.isupper() for word in found)
    return [
        word.casefold()
        for word in found
        if (len(word) > 1 or not word.isascii()) and (capitals or not word.isupper())
    ]


def _hits(words: list[str], rules: LanguageRules) -> dict[str, int]:
    counted = Counter(words)
    return {
        language: sum(counted[word] for word in stops & counted.keys())
        for language, stops in rules.stop_words.items()
    }
