"""What a source says of a patient and those around them, and how it is told from words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class KnownWords:
    """What stands behind a surname that is also a word, and tells which it is: policy.yaml, `known_words`."""

    acts: frozenset[str]  # what only a person does
    speech: frozenset[str]  # of these, what proves a name in small letters, too
    phrases: Mapping[str, frozenset[str]]  # by word: one or two words that make it one when they follow
    headings: frozenset[str]


@dataclass(frozen=True, slots=True)
class Known:
    """Identifiers by what they are. Values are patient text: they live no longer than one document."""

    names: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    mrns: tuple[str, ...] = ()
    dates: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    phones: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return "Known(…)"
