"""Names found once are found everywhere in the document. 45 CFR 164.514(b)(2)(i)(A)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from curbside.phi import Category
from curbside_deidentification.domain.gate import BETWEEN_NAMES, TOKEN, before_eponym
from curbside_deidentification.domain.known import RULES
from curbside_deidentification.domain.lexicon import Lexicon
from curbside_deidentification.domain.name_words import BARE_EPONYMS
from curbside_deidentification.domain.spans import Span
from curbside_deidentification.recognisers.name_in_context import NameInContext

_IN_CONTEXT: Final = NameInContext()
_OPENS: Final = frozenset('\n\r.:;!?•*-–—"“(|>#')
_HANDLE: Final = (
    r"(?<![\w@./-])(?:(?:[a-z]{{1,2}}[._]?)(?:{0})\d{{0,4}}|(?:{0})(?:[._]?[a-z]{{1,2}}|"
    r"[._][a-z]{{2,12}})\d{{0,4}}|(?:{0})\d{{1,4}})(?![\w@/-])"
)


def repetitions(text: str, names: list[Span], lexicon: Lexicon) -> Iterator[Span]:
    """Further mentions of names already found, by their parts of three letters or more.

    Notes introduce "Robert Feldmann" once and write "Feldmann" from then on. A part that is a plain word
    ("Rose", "Banks") is a name again inside a sentence where it has a capital, and elsewhere as far as what
    stands around it says so. Who was found in small letters is found in them again. User
    names that are built of a part count anywhere.
    """
    rare: set[str] = set()
    plain: set[str] = set()
    short: set[str] = set()
    small: set[str] = set()
    for span in names:
        if span.recogniser.endswith("Initials"):
            continue  # `repeated_initials` looks for these
        words = TOKEN.findall(text[span.start : span.end])
        for word in words:
            bare = word.removesuffix("'s").removesuffix("’s")
            if len(bare) < 2 or bare.casefold() in BETWEEN_NAMES:
                continue
            if not lexicon.is_word(bare):
                (rare if len(bare) >= 3 else short).add(bare.casefold())
                if bare.islower() and len(bare) > 3:
                    small.add(bare)
            elif bare.casefold() in lexicon.forenames or bare.casefold() in lexicon.surnames:
                plain.add(bare.casefold())
    if not rare and not plain:
        return
    # Whoever is Reginald is also Reg: where that is no word.
    for name in rare | plain:
        rare |= {
            short for short in RULES.nicknames.get(name, ()) if not lexicon.is_word(short) and len(short) > 2
        }
    for match in TOKEN.finditer(text):
        word = match[0]
        bare = word.removesuffix("'s").removesuffix("’s")
        lower = bare.casefold()
        if not word[0].isupper() and bare not in small:
            continue
        if (
            lower in rare
            or (lower in short and word[1].islower())
            or (lower in plain and _inside_sentence(text, match, bare, lexicon))
        ):
            yield Span(match.start(), match.start() + len(bare), Category.NAME, 0.7, "RepeatedName")
    for span in _IN_CONTEXT.find(text, lexicon, rare | plain):
        yield Span(span.start, span.end, Category.NAME, 0.7, "RepeatedName")
    yield from _handles(text, rare)


def _inside_sentence(text: str, match: re.Match[str], bare: str, lexicon: Lexicon) -> bool:
    """Whether a capital at `match` says that the word is a name: not where a sentence, a value or a heading
    begins, nor in a line of capitals, nor next to another capitalised word ("Hand Surgery")."""
    if len(bare) < 3 or bare.isupper() or bare.casefold() in BARE_EPONYMS:
        return False
    before = text[max(0, match.start() - 8) : match.start()].rstrip(" ")[-1:]
    if not before or before in _OPENS or before_eponym(text, match.start() + len(bare)):
        return False
    behind = text[match.start() + len(bare) : match.start() + len(bare) + 3]
    return not (behind[:1] in " -" and behind[1:2].isupper() and behind[2:3] not in " .,")


def _handles(text: str, surnames: set[str]) -> Iterator[Span]:
    """User names of a surname and an initial or a number: "rvanterpool", "vanterpool_r2"."""
    long = sorted(re.escape(name) for name in surnames if len(name) > 3 and name.isalpha())
    if not long:
        return
    for match in re.finditer(_HANDLE.format("|".join(long)), text, re.IGNORECASE):
        yield Span(match.start(), match.end(), Category.NAME, 0.7, "RepeatedName")
