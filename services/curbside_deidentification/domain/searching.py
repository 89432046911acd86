"""All matches of a pattern in a text, found where they can begin and not by trying every character.

A hundred recognisers read each text. `re` tries a pattern that ignores case, or that begins with `\\b`, at
every character. What the pattern needs (`needs.py`) is looked up in an index of the text that all of them
share, and the pattern is tried at those places alone. The matches are those of `finditer`.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any, Final, TypeVar

from curbside_deidentification.domain.needs import Words, fold, needs_of

# One try of a pattern at a place costs as much as `finditer` over so many characters.
_CHARACTERS_A_TRY: Final = 12
_Made = TypeVar("_Made")


class Searched(str):
    """A text that many patterns are searched in: a `str` in every way, with an index made once."""

    __slots__ = ("_index", "_kept")

    _index: _Index
    _kept: dict[object, Any]

    def once(self, maker: object, make: Callable[[], _Made]) -> _Made:
        """What `make` gives, made once for this text and that `maker`; it goes with the text."""
        try:
            kept = self._kept
        except AttributeError:
            kept = self._kept = {}
        if maker not in kept:
            kept[maker] = make()
        made: _Made = kept[maker]
        return made

    def places(self, words: Words) -> list[int] | None:
        """Where one of `words` may stand in the folded text, in order; None where there are too many."""
        index, most = self._indexed(), len(self) // _CHARACTERS_A_TRY
        grouped = _by_pair(words)
        found: list[int] = []
        for pair in grouped.keys() & index.pairs.keys():
            near = index.places(pair)
            longer = grouped[pair]
            if longer:
                near = [at for at in near if index.folded.startswith(longer, at)]
            found += near
            if len(found) > most:
                return None
        return sorted(found)

    def holds(self, words: Words) -> bool:
        """False only where none of `words` stands in the folded text."""
        index = self._indexed()
        grouped = _by_pair(words)
        return any(
            not grouped[pair] or any(word in index.folded for word in grouped[pair])
            for pair in grouped.keys() & index.pairs.keys()
        )

    def _indexed(self) -> _Index:
        try:
            return self._index
        except AttributeError:
            self._index = _Index(fold(self))
            return self._index


class _Index:
    """Where each pair of characters of `folded` stands, and each character, which is a pair with a 0.

    Characters beyond Latin-1 are one in the index: what it says is where to look, and never what is there.
    """

    def __init__(self, folded: str) -> None:
        import numpy as np

        self.folded: Final = folded
        codes = np.frombuffer((folded + "\0").encode("latin-1", "replace"), np.uint8).astype(np.uint16)
        rows = np.concatenate(((codes[:-1] << 8) | codes[1:], codes[:-1] << 8))
        order = np.argsort(rows, kind="stable")  # of 16 bits: a radix sort
        ranked = rows[order]
        begins = [0, *(np.flatnonzero(ranked[1:] != ranked[:-1]) + 1).tolist()]
        ends = [*begins[1:], len(rows)]
        self._order: Any = order % max(len(folded), 1)
        self.pairs: Final[Mapping[int, tuple[int, int]]] = (
            dict(zip(ranked[begins].tolist(), zip(begins, ends, strict=True), strict=True)) if folded else {}
        )

    def places(self, pair: int) -> list[int]:
        begin, end = self.pairs[pair]
        places: list[int] = self._order[begin:end].tolist()
        return places


@cache
def _by_pair(words: Words) -> Mapping[int, tuple[str, ...]]:
    """`words` by their first two characters; no words behind a pair that is one itself."""
    grouped: defaultdict[int, set[str]] = defaultdict(set)
    whole: set[int] = set()
    for word in words:
        first, second = (word + "\0")[:2].encode("latin-1")
        pair = first << 8 | second
        grouped[pair].add(word)
        if len(word) <= 2:
            whole.add(pair)
    return {pair: () if pair in whole else tuple(sorted(longer)) for pair, longer in grouped.items()}


def matches(pattern: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    """What `pattern.finditer(text)` gives; quicker where `text` is `Searched`.

    For a recogniser's pattern and never for one that is made of a patient's words: what it needs is kept.
    """
    if not isinstance(text, Searched):
        return pattern.finditer(text)
    needs = needs_of(pattern)
    if not all(text.holds(clause) for clause in needs.clauses):
        return iter(())
    places = None if needs.first is None else text.places(needs.first)
    return pattern.finditer(text) if places is None else _at(pattern, text, places)


def _at(pattern: re.Pattern[str], text: str, places: list[int]) -> Iterator[re.Match[str]]:
    reached = 0
    for place in places:
        if place >= reached and (match := pattern.match(text, place)):
            yield match
            reached = match.end()
