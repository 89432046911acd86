"""Whether a word that may be a part of a known name is one, by its spelling and what stands beside it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from curbside_deidentification.domain.known.confusions import Misread
from curbside_deidentification.domain.known.identifiers import KnownWords
from curbside_deidentification.domain.known.rules import RULES
from curbside_deidentification.domain.known.small import Usual, person_beside, small_verdict, usual
from curbside_deidentification.domain.known.words import Verdict, a_thing, attested, line_of_capitals, verdict
from curbside_deidentification.domain.lexicon import Lexicon, abbreviations


class How(IntEnum):
    """How a mention is spelled, the surest first."""

    EXACT = 1
    SPLIT = 2
    MISREAD = 3
    MISSPELLED = 4
    FARTHER = 5  # two edits
    NICKNAME = 6
    MISSPELLED_NICKNAME = 7


@dataclass(frozen=True, slots=True)
class Entry:
    """What a word of the text stands for: a part of the names of `people`."""

    part: str
    how: How
    people: frozenset[int]
    given: bool


def judged(text: str, start: int, end: int, entry: Entry, lexicon: Lexicon, words: KnownWords) -> Verdict:
    """A misspelling or a nickname is never undecided: most of them are other words."""
    word = text[start:end]
    if entry.part in RULES.placeholders:
        owner = text[start].isupper() and entry.part not in RULES.labels and text.startswith("'s ", end)
        named = owner or (entry.how is How.EXACT and attested(text, start, end, words))
        return Verdict.NAME if named else Verdict.WORD
    is_word = lexicon.is_word(word) or word.casefold() in RULES.also_words
    small = not word[0].isupper()
    if entry.how is How.EXACT:
        usually = usual(entry.part, lexicon, given=entry.given)
        if len(entry.part) < 3 or (is_word and (small or usually is not Usual.RARE)):
            if small:
                return small_verdict(text, start, end, entry.part, usually, words)
            return verdict(text, start, end, lexicon, words)
        return Verdict.WORD if a_thing(text, start, end, lexicon) else Verdict.NAME
    if entry.how is How.NICKNAME and is_word and small and len(word) > 2:
        # The source does not say that anybody is called so: "will" of a William.
        usually = max(Usual.OFTEN, usual(entry.part, lexicon, given=True))
        return small_verdict(text, start, end, entry.part, usually, words)
    if attested(text, start, end, words) and not (is_word and entry.how is How.FARTHER):
        return Verdict.NAME if not is_word or not small else Verdict.WORD
    if is_word:
        return Verdict.WORD
    unused = word.casefold() not in abbreviations()
    if (
        small
        and unused
        and len(word) > 3
        and entry.how is not How.FARTHER
        and person_beside(text, start, end, words)
    ):
        return Verdict.NAME
    if entry.how is How.MISSPELLED_NICKNAME:
        return Verdict.WORD
    if entry.how is How.NICKNAME:
        return Verdict.NAME if not small or (unused and len(word) > 4) else Verdict.WORD
    if small:
        # Notes are full of small words that no vocabulary has; a long one an edit away is the name.
        if entry.how is How.MISSPELLED and unused:
            return Verdict.NAME if len(word) >= 7 else Verdict.LIKELY_WORD
        return Verdict.WORD
    if text[start - 1 : start] == "-" or text[end : end + 1] == "-":
        return Verdict.WORD  # "Hippel-Lindau": half of a compound, unless the other half is known, too
    if len(word) <= 5 and word.isupper() and not line_of_capitals(text, start):
        return Verdict.WORD  # an abbreviation
    return Verdict.NAME


def judged_misread(text: str, found: Misread, lexicon: Lexicon, words: KnownWords, *, given: bool) -> Verdict:
    if all(len(piece) == 1 for piece in found.pieces):
        # Spaced out: "S M I T H"; three small letters are any three.
        return Verdict.NAME if len(found.word) > 3 or text[found.start].isupper() else Verdict.WORD
    is_word = lexicon.is_word(found.word) or found.word in RULES.also_words
    if found.hyphenated and found.exact:
        if is_word and text[found.start].islower():
            usually = usual(found.word, lexicon, given=given)
            return small_verdict(text, found.start, found.end, found.word, usually, words)
        return Verdict.NAME
    apart = all(lexicon.is_word(piece) for piece in found.pieces)
    if apart and not (found.exact and attested(text, found.start, found.end, words)):
        return Verdict.WORD  # "her man" is no Herman
    if found.split and not found.exact and len(found.word) < 7:
        return Verdict.WORD
    return Verdict.NAME
