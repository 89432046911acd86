"""Word lists that tell a name from a medical or plain word. Sources: data/NOTICE."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Final

_DATA: Final = Path(__file__).with_name("data")
WORD: Final = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")


def _lines(name: str) -> frozenset[str]:
    return frozenset((_DATA / name).read_text("utf-8").split())


@dataclass(frozen=True)
class Lexicon:
    """`words` are never names by themselves; `given` are given names that are no words; a
    token with one of `endings` is a medical word that no list need hold ("-ectomy")."""

    words: frozenset[str]
    given: frozenset[str]
    endings: tuple[str, ...] = ()

    def is_word(self, token: str) -> bool:
        """Whether `token`, in any case, or each part of a hyphenated one, is a word of the vocabulary."""
        token = token.casefold().removesuffix("'s").removesuffix("’s").strip("'’.")
        if token in self.given:
            return False
        if token in self.words or len(token) < 2 or (len(token) > 6 and token.endswith(self.endings)):
            return True
        parts = token.split("-")
        return len(parts) > 1 and all(len(part) < 2 or self.is_word(part) for part in parts)

    def is_given(self, token: str) -> bool:
        return token.casefold().removesuffix("'s").removesuffix("’s") in self.given

    def with_words(self, words: Iterable[str]) -> Lexicon:
        return replace(self, words=self.words | {word.casefold() for word in words})


@cache
def load_lexicon() -> Lexicon:
    return Lexicon(_lines("vocabulary.txt"), _lines("given_names.txt"))
