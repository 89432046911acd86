"""Known words as scanners and line breaks leave them: "5mith", "Bemard", "Quatre-\\nmer", "S M I T H".

All known words are one pattern, shaped as a tree, so that its time does not grow with their number.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from curbside_deidentification.domain.known.rules import RULES

# What may stand between two letters of a word that is split: a hyphen, spaces, the end of a line.
_GAP: Final = r"(?:-?[ \t]{0,2}\r?\n[ \t]{0,8}|-[ \t]?|[ \t]{1,2})?"
_SHORTEST_SPLIT: Final = 5
_SHORTEST: Final = 4
# Shorter ones are split at the end of a line or spaced out, letter by letter; else half of them is any word.
_SHORTEST_SPACED: Final = 3
_HYPHENATED: Final = re.compile(
    r"(?<![^\W_])([^\W\d_]{1,3})-[ \t]{0,2}\r?\n[ \t]{0,8}([^\W\d_]{1,3})(?![^\W_])"
)
_SPACED: Final = re.compile(r"(?<![^\W_])[^\W\d_](?:(?:[ \t]{1,2}|[.-][ \t]?)[^\W\d_]){2,40}(?![^\W_])")


@dataclass(frozen=True, slots=True)
class Misread:
    """`small[start:end]` reads as the known `word`; `pieces` are what the gaps leave of it."""

    start: int
    end: int
    word: str
    pieces: tuple[str, ...]
    hyphenated: bool  # a hyphen at the end of a line: what a typesetter does within a word

    @property
    def split(self) -> bool:
        return len(self.pieces) > 1

    @property
    def exact(self) -> bool:
        """Whether no character was taken for another."""
        return "".join(self.pieces) == self.word


def _canonical(word: str) -> str:
    """One form for all words that recognition takes for one another."""
    for letter, pair in RULES.pairs.items():
        word = word.replace(pair, letter)
    return "".join(RULES.characters.get(character, character)[0] for character in word)


class MisreadWords:
    """Finds known words, letters only and small, however they are misread or split."""

    def __init__(self, words: Iterable[str]) -> None:
        words = set(words)
        self._by_form: dict[str, list[str]] = {}
        self._patterns: list[re.Pattern[str]] = []
        usable = sorted({word for word in words if len(word) >= _SHORTEST and word.isalpha()})
        for word in usable:
            self._by_form.setdefault(_canonical(word), []).append(word)
        self._known = {word for word in words if word.isalpha()}
        self._short = {word for word in self._known if _SHORTEST_SPACED <= len(word) < _SHORTEST_SPLIT}
        whole = [word for word in usable if len(word) < _SHORTEST_SPLIT]
        split = [word for word in usable if len(word) >= _SHORTEST_SPLIT]
        for group, gap in ((whole, ""), (split, _GAP)):
            if group:
                tree = _pattern(_tree(_canonical(word) for word in group), gap)
                self._patterns.append(re.compile(rf"(?<![^\W_]){tree}(?![^\W_])"))

    def find(self, small: str) -> Iterator[Misread]:
        for pattern in self._patterns:
            for match in pattern.finditer(small):
                pieces = tuple(re.findall(r"[^\s-]+", match[0]))
                read = "".join(pieces)
                words = self._by_form.get(_canonical(read), ())
                word = read if read in words else next(iter(words), None)
                # A row of digits that would read as letters is a number.
                if word is not None and 2 * sum(map(str.isalpha, read)) > len(read):
                    hyphenated = re.search(r"-[ \t]{0,2}\r?\n", match[0]) is not None
                    yield Misread(match.start(), match.end(), word, pieces, hyphenated)
        if self._short:
            yield from self._short_ones(small)

    def _short_ones(self, small: str) -> Iterator[Misread]:
        for match in _HYPHENATED.finditer(small):
            if match[1] + match[2] in self._short:
                yield Misread(match.start(), match.end(), match[1] + match[2], (match[1], match[2]), True)
        for match in _SPACED.finditer(small):
            at = [place for place in range(*match.span()) if small[place].isalpha()]
            read = "".join(small[place] for place in at)
            for word in self._short:
                # Alone, beside an initial, or beside another known name that is spaced out likewise.
                if read.startswith(word) and self._belongs(read[len(word) :]):
                    yield Misread(at[0], at[len(word) - 1] + 1, word, tuple(word), False)
                elif read.endswith(word) and self._belongs(read[: -len(word)]):
                    yield Misread(at[-len(word)], at[-1] + 1, word, tuple(word), False)

    def _belongs(self, rest: str) -> bool:
        return len(rest) < 2 or rest in self._known or rest[1:] in self._known or rest[:-1] in self._known


_Tree: TypeAlias = dict[str, "_Tree"]


def _tree(words: Iterable[str]) -> _Tree:
    root: _Tree = {}
    for word in words:
        node = root
        for letter in word:
            node = node.setdefault(letter, {})
        node[""] = {}
    return root


def _pattern(node: _Tree, gap: str) -> str:
    branches = [
        _letter(letter, gap) + (_rest(child, gap) if child else "")
        for letter, child in sorted(node.items(), reverse=True)
        if letter
    ]
    return branches[0] if len(branches) == 1 else f"(?:{'|'.join(branches)})"


def _rest(node: _Tree, gap: str) -> str:
    if node.keys() == {""}:
        return ""
    rest = gap + _pattern(node, gap)
    return f"(?:{rest})?" if "" in node else rest


def _letter(letter: str, gap: str) -> str:
    alike = _class(letter)
    pair = RULES.pairs.get(letter)
    if pair is None:
        return alike
    return f"(?:{alike}|{gap.join(_class(RULES.characters.get(one, one)[0]) for one in pair)})"


def _class(letter: str) -> str:
    alike: Mapping[str, str] = RULES.characters
    members = alike.get(letter, letter)
    return re.escape(members) if len(members) == 1 else f"[{re.escape(members)}]"
