"""Facilities and towns found once are found everywhere in the document. 45 CFR 164.514(b)(2)(i)(B)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from curbside.phi import Category
from curbside_deidentification.domain.gate import TOKEN
from curbside_deidentification.domain.lexicon import Lexicon
from curbside_deidentification.domain.spans import Span
from curbside_deidentification.recognisers.writing.addresses import TOWN
from curbside_deidentification.recognisers.writing.facility_words import says_which
from curbside_deidentification.recognisers.writing.places import STATE, STATE_NAME

_TOWN_AT_END: Final = re.compile(
    rf"(?P<town>{TOWN})(?:[ ]?,[ ]?|[ ]|\^)(?:{STATE}|"
    rf"{STATE_NAME})\b\.?(?:[,\s^]{{1,3}}\d{{5}}(?:-\d{{4}})?)?$"
)
# What is a place by a preposition alone ("on Cytoxan") is not looked for again.
_SURE: Final = 0.8
_PLACED: Final = re.compile(r"(?i:\b(?:in|near|from|to|at|outside|of|city|town)\b[ :]{1,3})$")
_WORD: Final = re.compile(r"(?<![\w-])[^\W_]+")
_ACRONYM: Final = re.compile(r"[ ]?[(][\"“]?(?P<short>[A-Z][A-Za-z&]{1,7})[\"”]?[)]")


def place_repetitions(text: str, found: Iterable[Span], lexicon: Lexicon) -> Iterator[Span]:
    """Further mentions of the facilities and towns in `found`.

    Of a facility its whole name, the two words that begin it ("Cedar Hollow" for "Cedar Hollow Nursing
    Home"), each word of it that is no plain one, and the letters that stand in brackets behind it; of a town
    its name, which must follow a word that places somebody where it is a plain word ("in Mobile").
    """
    facilities: set[str] = set()
    towns: set[str] = set()
    for span in found:
        mention = text[span.start : span.end]
        if (
            span.category is Category.FACILITY
            and span.score >= _SURE
            and "|" not in mention
            and "^" not in mention
        ):
            facilities.update(_ways_of(mention, lexicon))
            short = _ACRONYM.match(text, span.end)
            if short and not lexicon.is_word(short["short"]):
                facilities.add(short["short"])
        elif span.category is Category.LOCATION and (town := _TOWN_AT_END.search(mention)):
            towns.add(town["town"].casefold())
    for phrase, match in _mentions(text, facilities):
        if _capitalised(match[0]) and (len(phrase) > 3 or match[0].isupper()):
            yield Span(match.start(), match.end(), Category.FACILITY, 0.7, "RepeatedFacility")
    for phrase, match in _mentions(text, towns):
        plain = all(lexicon.is_word(word) for word in TOKEN.findall(phrase))
        placed = _PLACED.search(text, max(0, match.start() - 12), match.start()) is not None
        if _capitalised(match[0]) and (placed or not plain):
            yield Span(match.start(), match.end(), Category.LOCATION, 0.7, "RepeatedTown")


def _ways_of(mention: str, lexicon: Lexicon) -> Iterator[str]:
    words = mention.split()
    telling = [word for word in words if says_which(word.strip(".,"))]
    if not telling:
        return
    if len(words) > 1:
        yield " ".join(words).casefold()
    if (
        len(words) > 2
        and says_which(words[0].strip(".,"))
        and words[1].casefold() not in ("of", "and", "&", "the")
    ):
        yield " ".join(words[:2]).casefold()
    for word in telling:
        bare = word.strip(".,").casefold().removesuffix("'s").removesuffix("’s")
        if len(bare) > 3 and bare.isalpha() and not lexicon.is_word(bare):
            yield bare


def _mentions(text: str, phrases: set[str]) -> Iterator[tuple[str, re.Match[str]]]:
    """Where `phrases` stand in whole words. Looked up by their first word: a list of a
    thousand places is read as fast as one."""
    by_first: dict[str, list[str]] = {}
    for phrase in sorted(phrases, key=len, reverse=True):
        if first := _WORD.search(phrase):
            by_first.setdefault(first[0].casefold(), []).append(phrase)
    reached = 0
    for word in _WORD.finditer(text) if by_first else ():
        if word.start() < reached:
            continue
        for phrase in by_first.get(word[0].casefold(), ()):
            match = re.compile(rf"{re.escape(phrase)}(?![\w-])", re.IGNORECASE).match(text, word.start())
            if match:
                yield phrase, match
                reached = match.end()
                break


def _capitalised(mention: str) -> bool:
    return all(
        word[0].isupper() or not word[0].isalpha() or word in ("of", "and", "the") for word in mention.split()
    )
