"""A given name that no list holds, before a surname that was found. 45 CFR 164.514(b)(2)(i)(A)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from curbside.phi import Category
from curbside_deidentification.domain.known import RULES
from curbside_deidentification.domain.lexicon import Lexicon
from curbside_deidentification.domain.name_words import NEVER_NAME, PEOPLES
from curbside_deidentification.domain.spans import MODELS, Span

_BEFORE: Final = re.compile(r"(?<![\w'’.-])(?P<given>[A-Z][a-zß-öø-ÿ]{1,15})[ ]\Z")
# Of a facility or a town of two words, of which the second was taken for a surname: "Bon Osgood".
_OF_PLACES: Final = frozenset(
    ("bon", "notre", "san", "santa", "sainte", "saint", "los", "las", "fort", "mount")
)
_SURNAME: Final = re.compile(r"[A-Z][\w'’-]*[a-zß-öø-ÿ]")


def given_names_before(text: str, names: Iterable[Span], lexicon: Lexicon) -> Iterator[Span]:
    """A capitalised word directly before a surname belongs to it where it is no word of the vocabulary, or a
    name, too: a title that no list holds stands before both ("Councilman Reg Osgood")."""
    names = [*names]  # the caller may add to them meanwhile
    ends = {span.end for span in names}
    for span in names:
        if span.category is not Category.NAME or not _SURNAME.match(text, span.start, span.end):
            continue
        before = _BEFORE.search(text[max(0, span.start - 20) : span.start])
        if before is None or span.start - 1 in ends:
            continue
        word = before["given"]
        small = word.casefold()
        if small not in _OF_PLACES and span.recogniser in MODELS and " " not in text[span.start : span.end]:
            continue  # a token of a model alone is a drug or a stitch as often
        if small in NEVER_NAME or small in PEOPLES:
            continue
        if (
            small not in _OF_PLACES
            and lexicon.is_word(word)
            and small not in RULES.nicknames
            and small not in lexicon.forenames
        ):
            continue
        start = span.start - len(word) - 1
        yield Span(start, span.end, Category.NAME, min(span.score, 0.75), "GivenNameBefore")
