"""Surrogates of people's names: the same shape and sex, other initials, and each word the same everywhere."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Final

from curbside.phi import Category
from curbside_deidentification.domain.replacement.keyed import Keyed
from curbside_deidentification.domain.replacement.ledger import Ledger
from curbside_deidentification.domain.replacement.mapping import folded
from curbside_deidentification.domain.replacement.numbers import shaped
from curbside_deidentification.domain.replacement.words import lines

_TOKEN: Final = re.compile(r"[^\W\d_]+(?:['’](?!s\b)[^\W\d_]+)*", re.IGNORECASE)
_MALE_TITLES: Final = {"mr", "mister", "sir"}
_FEMALE_TITLES: Final = {"mrs", "ms", "miss", "madam", "mme"}
_TITLES: Final = _MALE_TITLES | _FEMALE_TITLES | {"dr", "doctor", "prof", "professor", "nurse", "rev"}
_CREDENTIALS: Final = {
    *("md", "do", "rn", "np", "pa", "pac", "phd", "mph", "ms", "lpn", "crna", "dds", "dpm", "pharmd", "facs"),
    *("facc", "facp", "esq", "jr", "sr", "ii", "iii", "iv"),
}
_SMALL: Final = {
    "and",
    "or",
    "van",
    "von",
    "der",
    "den",
    "de",
    "la",
    "del",
    "di",
    "da",
    "dos",
    "bin",
    "al",
    "y",
}
_ALPHABET: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@cache
def _bearers(name: str) -> frozenset[str]:
    return frozenset(map(folded, lines(name)))


@cache
def _surnames() -> frozenset[str]:
    return frozenset(lines("surnames"))


def name_surrogate(mention: str, keyed: Keyed, ledger: Ledger, attempt: int) -> str | None:
    """None where no word is free any more. Titles and credentials stay; `attempt` draws other words."""
    tokens = list(_TOKEN.finditer(mention))
    kept = _kept(mention, tokens)
    words = [index for index in range(len(tokens)) if index not in kept and len(tokens[index][0]) > 1]
    titles = {folded(tokens[index][0]) for index in kept}
    family = _family(mention, tokens, words, titled=bool(titles & _TITLES))
    pieces: list[str] = []
    reached = 0
    for index, token in enumerate(tokens):
        word = token[0]
        new: str | None = word
        if index not in kept:
            if len(word) == 1 or _is_initials(word, ledger):
                new = "".join(_letter(letter, keyed, ledger, attempt) for letter in word)
            else:
                new = _word(word, _pool(word, index in family, titles), keyed, ledger, attempt)
        if new is None:
            return None
        pieces += (_between(mention[reached : token.start()], keyed, attempt), new)
        reached = token.end()
    rest = _between(mention[reached:], keyed, attempt)
    return "".join((*pieces, rest)) if len(kept) < len(tokens) else None


def _between(text: str, keyed: Keyed, attempt: int) -> str:
    """What stands between the words of a name: a number there is part of it ("jdoe42")."""
    return shaped(text, keyed, "name", text, attempt)


def name_words(mention: str) -> Sequence[str]:
    """The words that `mention` is made of, as it writes them."""
    return [token[0] for token in _TOKEN.finditer(mention)]


def cased(word: str, like: str) -> str:
    """`word` in capitals or small letters where `like` is."""
    if like.isupper() and len(like) > 1:
        return word.upper()
    return word.lower() if like.islower() else word


def _kept(mention: str, tokens: Sequence[re.Match[str]]) -> set[int]:
    """Titles before a name, credentials behind one, and small words within: they are nobody's."""
    kept: set[int] = set()
    for index, token in enumerate(tokens):
        word, first, last = folded(token[0]), index == len(kept), index == len(tokens) - 1
        in_capitals = token[0].isupper() and not mention.isupper()
        behind = mention[: token.start()].rstrip().endswith(",") or in_capitals or word in ("jr", "sr", "iii")
        if (
            (word in _TITLES and first and not last)
            or (word in _CREDENTIALS and not first and behind)
            or (word in _SMALL and token[0].islower() and not last)
        ):
            kept.add(index)
    return kept


def _family(mention: str, tokens: Sequence[re.Match[str]], words: Sequence[int], *, titled: bool) -> set[int]:
    """Which of `words` are surnames: those before a comma, else the last, of a lone word where a title or no
    list of given names says so."""
    if not words:
        return set()
    before = [index for index in words if mention[tokens[index].end() :].lstrip().startswith(",")]
    if before and before[0] != words[-1]:
        return {index for index in words if index <= before[0]}
    given = any(
        folded(tokens[words[0]][0]) in _bearers(f"{sex}_names") for sex in ("female", "male", "either")
    )
    if len(words) == 1 and given and not titled:
        return set()
    # "Garcia-Lopez" is two words and one surname.
    family = {words[-1]}
    for earlier, later in zip(reversed(words[:-1]), reversed(words[1:]), strict=True):
        if mention[tokens[earlier].end() : tokens[later].start()] != "-":
            break
        family.add(earlier)
    return family


def _pool(word: str, is_family: bool, titles: set[str]) -> str:
    if is_family:
        return "surnames"
    name = folded(word)
    female, male = name in _bearers("female_names"), name in _bearers("male_names")
    if female or male:
        return "female_names" if female else "male_names"
    if titles & _FEMALE_TITLES:
        return "female_names"
    return "male_names" if titles & _MALE_TITLES else "either_names"


def _word(word: str, pool: str, keyed: Keyed, ledger: Ledger, attempt: int) -> str | None:
    name = folded(word)
    new = ledger.part(Category.NAME, name) if not attempt else None
    if new is None:
        candidates = keyed.walk(lines(pool), "name", pool, name, attempt)
        new = next(
            (
                candidate
                for candidate in candidates
                if folded(candidate)[0] != name[0] and ledger.allows_part(Category.NAME, name, candidate)
            ),
            None,
        )
        if new is None:
            return None
        ledger.keep_part(Category.NAME, name, new)
    return cased(new, word)


def _is_initials(word: str, ledger: Ledger) -> bool:
    """ "JS", "jkt": no word of a name that has been seen, and not one that could be spoken."""
    if len(word) > 3 or ledger.part(Category.NAME, folded(word)) is not None:
        return False
    return word.isupper() and (len(word) == 2 or not set(folded(word)) & set("aeiouy"))


def _letter(letter: str, keyed: Keyed, ledger: Ledger, attempt: int) -> str:
    """The initial of what a name of that initial became where just one did, or another letter.

    An initial is a given name's more often than a surname's.
    """
    bare = folded(letter)[:1].upper()
    if bare not in _ALPHABET or not bare:
        bare = _ALPHABET[ord(letter) % len(_ALPHABET)]
    same = {part for name, part in ledger.parts(Category.NAME) if name[:1].upper() == bare}
    given = {part for part in same if part not in _surnames()} or same
    if len(given) == 1 and not attempt:
        new = given.pop()[0]
    else:
        # One distance for all letters: two initials never become the same one, and none stays.
        distance = 1 + keyed.number("initial", attempt) % (len(_ALPHABET) - 1)
        new = _ALPHABET[(_ALPHABET.index(bare) + distance) % len(_ALPHABET)]
    return new.lower() if letter.islower() else new
