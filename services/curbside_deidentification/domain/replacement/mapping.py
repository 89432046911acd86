"""Which surrogate stands for what, per patient. It holds patient text, to be encrypted wherever it lies."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from types import MappingProxyType
from typing import Final

from curbside.phi import Category

# HMAC-SHA256 is no stronger than its key: NIST SP 800-107 rev. 1, section 5.3.4, asks for 112 bits at least.
_LEAST_KEY_BYTES: Final = 16
_FORMAT: Final = 1

Surrogates = Mapping[Category, Mapping[str, tuple[str, ...]]]


@dataclass(frozen=True, slots=True)
class SubjectSecrets:
    """What makes one patient's surrogates and moved dates their own. The offset is whole days, and not 0."""

    key: bytes = field(repr=False)
    date_offset: timedelta = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.key) < _LEAST_KEY_BYTES:
            raise ValueError(f"a subject's key has at least {_LEAST_KEY_BYTES} bytes")
        if not self.date_offset.days or self.date_offset != timedelta(days=self.date_offset.days):
            raise ValueError("a subject's date offset is a number of whole days, and not 0")


@dataclass(frozen=True, slots=True)
class SubjectMapping:
    """Grows only: what once stood for something stands for it for good.

    `mentions` has, by category and original as it was written, its surrogates, the first preferred; a further
    one is there where the first would have collided with what a report says. `parts` has the same of what
    mentions are made of, a surname or the digits of a number, in a form without case, accents and separators.
    """

    mentions: Surrogates = field(default_factory=dict, repr=False)
    parts: Surrogates = field(default_factory=dict, repr=False)

    def to_json(self) -> str:
        return json.dumps(
            {"format": _FORMAT, "mentions": _plain(self.mentions), "parts": _plain(self.parts)},
            ensure_ascii=False,
        )

    @classmethod
    def from_json(cls, text: str) -> SubjectMapping:
        data = json.loads(text)
        if data["format"] != _FORMAT:
            raise ValueError(f"a mapping of format {data['format']!r}: this release reads {_FORMAT}")
        return cls(_read(data["mentions"]), _read(data["parts"]))

    def pairs(self) -> Iterator[tuple[Category, str, str]]:
        """Category, original and surrogate of every mention."""
        for category, originals in self.mentions.items():
            for original, surrogates in originals.items():
                for surrogate in surrogates:
                    yield category, original, surrogate


def folded(text: str) -> str:
    """Without case, accents and spacing: what is one name or number however it is written."""
    bare = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return " ".join(bare.casefold().replace("’", "'").split())


def _plain(known: Surrogates) -> dict[str, dict[str, list[str]]]:
    return {
        category.value: {original: list(surrogates) for original, surrogates in originals.items()}
        for category, originals in known.items()
    }


def _read(data: Mapping[str, Mapping[str, list[str]]]) -> Surrogates:
    return MappingProxyType(
        {
            Category(category): {original: tuple(surrogates) for original, surrogates in originals.items()}
            for category, originals in data.items()
        }
    )
