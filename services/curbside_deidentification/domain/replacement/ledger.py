"""A patient's mapping while one text is replaced: what may stand for what in it, and what newly does."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from curbside.phi import Category
from curbside_deidentification.domain.replacement.mapping import SubjectMapping, folded

_WORD: Final = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")


class Ledger:
    """Refuses a surrogate that the text or `avoid` says already, that was ever an original, or that stands
    for something else: nobody could tell who is meant, and nothing could be turned back."""

    def __init__(self, mapping: SubjectMapping, text: str, avoid: Iterable[str]) -> None:
        self._mentions = {category: dict(known) for category, known in mapping.mentions.items()}
        self._parts = {category: dict(known) for category, known in mapping.parts.items()}
        avoided = list(avoid)
        self._text = folded(text)
        self._words = {word for said in (text, *avoided) for word in _words(said)}
        self._phrases = {folded(said) for said in avoided}
        self._stands_for: dict[str, str] = {}
        self._spelling: dict[str, str] = {}
        for category, original, surrogate in mapping.pairs():
            self._remember(category, original, surrogate)
        self._part_stands_for = {
            (category, surrogate): original
            for category, originals in self._parts.items()
            for original, surrogates in originals.items()
            for surrogate in surrogates
        }

    def mention(self, category: Category, original: str) -> str | None:
        """What stands for `original` already, and may in this text."""
        known = self._mentions.get(category, {}).get(original, ())
        return next((surrogate for surrogate in known if self.allows(original, surrogate)), None)

    def allows(self, original: str, surrogate: str) -> bool:
        said = folded(surrogate)
        return (
            said not in self._phrases
            and self._stands_for.get(said, folded(original)) == folded(original)
            and not _says(self._text, said)
        )

    def is_free(self, original: str, surrogate: str) -> bool:
        """Whether `surrogate` stands for nothing yet, or for `original` in this very spelling."""
        return self._spelling.get(surrogate, original) == original

    def keep(self, category: Category, original: str, surrogate: str) -> str:
        """Note that `surrogate` stands for `original`; return it."""
        known = self._mentions.setdefault(category, {})
        if surrogate not in known.get(original, ()):
            known[original] = (*known.get(original, ()), surrogate)
        self._remember(category, original, surrogate)
        return surrogate

    def part(self, category: Category, original: str) -> str | None:
        """What stands for a part, as `keep_part` noted it, and may in this text."""
        known = self._parts.get(category, {}).get(original, ())
        return next((part for part in known if self.allows_part(category, original, part)), None)

    def parts(self, category: Category) -> Iterable[tuple[str, str]]:
        """Each part of `category` with what stands for it first."""
        return [(original, surrogates[0]) for original, surrogates in self._parts.get(category, {}).items()]

    def allows_part(self, category: Category, original: str, part: str) -> bool:
        return self._words.isdisjoint(_words(part)) and (
            self._part_stands_for.get((category, part), original) == original
        )

    def keep_part(self, category: Category, original: str, part: str) -> str:
        known = self._parts.setdefault(category, {})
        if part not in known.get(original, ()):
            known[original] = (*known.get(original, ()), part)
        self._part_stands_for[category, part] = original
        return part

    def mapping(self) -> SubjectMapping:
        return SubjectMapping(self._mentions, self._parts)

    def _remember(self, category: Category, original: str, surrogate: str) -> None:
        self._stands_for.setdefault(folded(surrogate), folded(original))
        self._spelling.setdefault(surrogate, original)
        # Once an original, never a surrogate: it could be taken for what it says.
        self._phrases.add(folded(original))
        if category is Category.NAME:
            self._words.update(_words(original))


def _words(said: str) -> list[str]:
    return _WORD.findall(folded(said))


def _says(text: str, said: str) -> bool:
    """Whether `said` stands in `text` by itself; both folded."""
    start = text.find(said)
    while start >= 0:
        end = start + len(said)
        before, after = text[start - 1 : start], text[end : end + 1]
        glued_before = before.isalnum() and said[:1].isalnum()
        glued_after = after.isalnum() and said[-1:].isalnum()
        if not glued_before and not glued_after:
            return True
        start = text.find(said, start + 1)
    return False
