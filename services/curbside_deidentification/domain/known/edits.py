"""Which words are one or two slips of the pen from a known one, in bounded time.

rapidfuzz is not among the project's packages; what is needed of it is small. A word one edit away shares a
form with the known one from which at most one letter is struck out (Garbe's symmetric deletion), so
one look-up per letter finds it among any number of names. Two edits are sought only among long names that
begin alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

# Below four letters every other word is one edit away. Nine letters bear two: at one in four or five letters
# what is left still tells the word.
SHORTEST = 4
LONG = 9


def within(one: str, other: str, most: int) -> bool:
    """Whether at most `most` insertions, deletions, substitutions or swaps of neighbours make `other` of
    `one` (optimal string alignment)."""
    if abs(len(one) - len(other)) > most:
        return False
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        earlier, before, row = before, row, [i]
        for j, wanted in enumerate(other, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (letter != wanted))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == wanted:
                cost = min(cost, earlier[j - 2] + 1)
            row.append(cost)
        if min(row) > most:
            return False
    return row[-1] <= most


def _struck(word: str) -> Iterator[str]:
    yield word
    for i in range(len(word)):
        yield word[:i] + word[i + 1 :]


class NearWords:
    """Known words, and the nearest of them for any other."""

    def __init__(self, words: Iterable[str]) -> None:
        self._struck: dict[str, list[str]] = {}
        self._long: dict[str, list[str]] = {}
        lengths = set()
        for word in sorted(set(words)):
            if len(word) < SHORTEST:
                continue
            lengths |= {len(word) - 1, len(word), len(word) + 1}
            for form in set(_struck(word)):
                self._struck.setdefault(form, []).append(word)
            if len(word) >= LONG:
                self._long.setdefault(word[0], []).append(word)
        self._lengths = frozenset(lengths)

    def nearest(self, word: str) -> tuple[str, int] | None:
        """The known word that `word` is a slip of, and in how many edits: 1 or 2; None if of none."""
        if len(word) in self._lengths:
            tried: set[str] = set()
            for form in _struck(word):
                for candidate in self._struck.get(form, ()):
                    if candidate not in tried:
                        tried.add(candidate)
                        if within(word, candidate, 1):
                            return candidate, 1
        for candidate in self._long.get(word[0], ()):
            if within(word, candidate, 2):
                return candidate, 2
        return None
