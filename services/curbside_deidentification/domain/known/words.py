"""Whether a known name that is also a word ("May", "Long", "Rose", "Ng") is the name where it stands."""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import Enum, auto
from typing import Final

from curbside_deidentification.domain.known.identifiers import KnownWords
from curbside_deidentification.domain.known.rules import RULES
from curbside_deidentification.domain.lexicon import Lexicon

# The next one or two words on the line, or beyond its end in small letters: there a capital begins a heading.
_NEXT: Final = re.compile(
    r"(?:-|[ \t]{1,3}|[ \t]{0,3}\r?\n[ \t]{0,8}(?=[a-z]))(?P<one>[^\W\d_]+(?:-[^\W\d_]+)?)"
    r"(?:[ \t]{1,3}(?P<two>[^\W\d_]+))?"
)
_PERSON: Final = re.compile(r",|'s\b|\s(?:and|with)\s(?:his|her|he|she)\b", re.IGNORECASE)
_TITLED: Final = re.compile(rf"\b(?:{'|'.join(RULES.titles)})\b\.?[ \t]{{1,3}}$", re.IGNORECASE)
_LABELLED: Final = re.compile(r"([a-z]+)(?:'s name)?[:,]?[ \t]{1,3}$", re.IGNORECASE)
_ARTICLE: Final = re.compile(r"\b(?:via|per)[ \t]{1,3}$", re.IGNORECASE)
_OWNED: Final = re.compile(
    r"\b(?:the|an?|this|that|his|her|their|my|its|indwelling|french|living)[ \t]{1,3}$", re.IGNORECASE
)
_FAMILY: Final = re.compile(
    r"(?:'?s)?[ \t]{1,2}(?:family|home|house|household|residence)\b|s\b", re.IGNORECASE
)
_DETERMINER: Final = re.compile(r"\b(?:the|an?|this|that|no|any|some|very|is|was|are|were)[ \t]{1,3}$", re.I)
# A sentence, a heading or an item of a list begins behind one of these.
_OPENINGS: Final = ".:;\n\r!?•*"
_MONTHS: Final = frozenset(("january", "april", "may", "june", "august", "march", "jan", "jun"))
_NUMBER_BEHIND: Final = re.compile(r",?[ \t]{0,2}(?:of[ \t])?(?:the[ \t])?'?\d")
_NUMBER_BEFORE: Final = re.compile(r"\d(?:st|nd|rd|th)?(?:[ \t-]| of | de ){1,3}$", re.IGNORECASE)
_LAST_WORD: Final = re.compile(r"([a-z]+)[ \t]{1,3}$")


class Verdict(Enum):
    NAME = auto()
    WORD = auto()
    UNDECIDED = auto()
    LIKELY_WORD = auto()  # unless the document calls a person so elsewhere


def verdict(text: str, start: int, end: int, lexicon: Lexicon, words: KnownWords) -> Verdict:
    """Whether a part that is also a word, written with a capital, is the name at `start`.

    A capital says so amid a sentence, unless the words behind make it a phrase ("White matter", "MAY
    RETURN"). Where a sentence begins it says nothing by itself: what a person does behind it makes it a
    name, and another word of the vocabulary leaves it undecided.
    """
    word, before = text[start:end], text[max(0, start - 40) : start]
    small = word.casefold()
    one, two = following(text, end)
    if titled(before) or (not line_of_capitals(text, start) and _label(before) in RULES.named_before):
        return Verdict.NAME
    if small in _MONTHS and _is_month(text, start, end):
        return Verdict.WORD  # the recognisers of dates take it
    phrases = words.phrases.get(small, frozenset()) | RULES.phrases.get(small, frozenset())
    thing = one in RULES.eponym_followers and _label(before) not in ("pt", "patient")
    if thing or not phrases.isdisjoint((one, two)):
        return Verdict.WORD
    if a_thing(text, start, end, lexicon):
        return Verdict.WORD
    if _OWNED.search(before) and not _FAMILY.match(text, end):
        return Verdict.WORD  # "the Foley", "his Foley": a person has no article
    line = before.rstrip(" \t")
    opening = not line or line[-1] in _OPENINGS
    if small in words.headings and opening and one not in words.acts - RULES.copulas:
        return Verdict.WORD
    abbreviated = len(word) == 2 and word.isupper() and not line_of_capitals(text, start)
    if abbreviated and (_ARTICLE.search(before) or text[end : end + 2].isdigit()):
        return Verdict.WORD  # "via NG", and the code "HL70444"
    if _acts(text, end, one, words):
        return Verdict.NAME
    if abbreviated:
        return Verdict.UNDECIDED
    if not opening:
        capitals = word.isupper() and line_of_capitals(text, start)
        return Verdict.WORD if capitals and _DETERMINER.search(before) else Verdict.NAME
    if text[end : end + 1] == ":":
        return Verdict.UNDECIDED
    if (one and lexicon.is_word(one)) or text[end : end + 2].strip().isdigit():
        return Verdict.UNDECIDED
    return Verdict.NAME


def a_thing(text: str, start: int, end: int, lexicon: Lexicon) -> bool:
    """Whether an article before and an instrument behind make a thing of any name ("a Kelly clamp"), or
    the compound is an eponym ("Jackson-Pratt")."""
    before = text[max(0, start - 20) : start]
    one = following(text, end)[0]
    if text[end : end + 1] == "-" and lexicon.is_word(f"{text[start:end]}-{one}"):
        return True
    return _OWNED.search(before) is not None and one in RULES.eponym_followers


def attested(text: str, start: int, end: int, words: KnownWords) -> bool:
    """Whether what stands beside `start` to `end` says that a person is meant, whatever the word is."""
    before = text[max(0, start - 40) : start]
    if titled(before):
        return True
    if _label(before) in RULES.labels and text[start].isupper():
        return True
    return following(text, end)[0] in words.speech and not _DETERMINER.search(before)


def _label(before: str) -> str:
    label = _LABELLED.search(before)
    return label[1].casefold() if label is not None else ""


def titled(before: str) -> bool:
    return _TITLED.search(before) is not None


def by_document(text: str, part: str, found: Iterable[Verdict]) -> Verdict:
    """What the rest of the document says of a part whose verdict is open somewhere in it.

    A document that calls a person so elsewhere and never writes the word means the person here, too; one
    that writes the word in small letters, and nowhere means a person, means the word.
    """
    named = any(one is Verdict.NAME for one in found)
    written = re.search(rf"(?<![^\W_]){re.escape(part)}(?![^\W_])", text) is not None
    if named != written:
        return Verdict.NAME if named else Verdict.WORD
    return Verdict.UNDECIDED


def line_of_capitals(text: str, at: int) -> bool:
    """Whether the line around `at`, up to 200 characters of it, has no small letter."""
    start = max(text.rfind("\n", max(0, at - 100), at) + 1, at - 100, 0)
    end = text.find("\n", at, at + 100)
    return text[start : end if end >= 0 else at + 100].isupper()


def following(text: str, end: int) -> tuple[str, str]:
    """The next word in small letters, and the next two, or the one where no second stands behind it."""
    following = _NEXT.match(text, end)
    if following is None:
        return "", ""
    one = following["one"].casefold()
    return one, f"{one} {following['two'].casefold()}" if following["two"] else one


def _acts(text: str, end: int, one: str, words: KnownWords) -> bool:
    return one in words.acts or _PERSON.match(text, end) is not None


def _is_month(text: str, start: int, end: int) -> bool:
    before = text[max(0, start - 20) : start]
    if _NUMBER_BEHIND.match(text, end) or _NUMBER_BEFORE.search(before):
        return True
    word = _LAST_WORD.search(before.casefold())
    return word is not None and word[1] in RULES.months_before
