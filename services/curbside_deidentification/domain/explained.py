"""Which abbreviations a document explains by the words before them."""

from __future__ import annotations

import re
from typing import Final


def spells_out(before: str, bare: str) -> bool:
    """Whether the last words of `before` begin with the letters `bare`: "mean arterial pressure (MAP)"."""
    heads = "".join(word[0] for word in re.findall(r"[^\W\d_]+", before)[-2 * len(bare) :]).casefold()
    at = -1
    for letter in bare:
        at = heads.find(letter, at + 1)
        if at < 0:
            return False
    return True


_EXPLAINED: Final = re.compile(r"\([ ]?([A-Z]{2,4})s?[ ]?[);,]")


def explained(text: str) -> frozenset[str]:
    """The abbreviations that this document explains, by the heads of the words before them or by the letters
    of the last one in their order: "mean arterial pressure (MAP)", "adrenoleukodystrophy (ALD)"."""
    found = set[str]()
    for match in _EXPLAINED.finditer(text):
        before, bare = text[max(0, match.start() - 60) : match.start()], match[1].casefold()
        word = re.search(r"[a-z-]{6,}\s?\Z", before)
        if spells_out(before, bare) or (word is not None and _in_order(bare, word[0])):
            found.add(match[1])
    return frozenset(found)


def _in_order(letters: str, word: str) -> bool:
    return re.search(".*".join(letters), word) is not None
