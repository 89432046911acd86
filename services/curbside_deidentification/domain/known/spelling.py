"""One spelling to compare in: accents, apostrophes and hyphens folded, each character for one, so that
offsets stay."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Final

from curbside_deidentification.domain.known.rules import RULES

# Letters that no decomposition takes apart.
_STROKED: Final = {
    "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "ð": "d", "Ð": "D", "ħ": "h", "Ħ": "H",
    "ı": "i", "ŧ": "t",
}  # fmt: skip

# A word of letters; a possessive is not part of it.
TOKEN: Final = re.compile(r"[^\W\d_]+(?:'(?!s\b)[^\W\d_]+)*", re.IGNORECASE)


class _Spellings(dict[int, str]):
    """Exports drop accents, and word processors turn apostrophes."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        if character in "‘’ʼ′`´":
            folded = "'"
        elif character in "\u2010\u2011":
            folded = "-"
        elif character in _STROKED:
            folded = _STROKED[character]
        else:
            base = unicodedata.normalize("NFD", character)[0]
            folded = base if base.isascii() else character
        self[code] = folded
        return folded


_SPELLINGS: Final = _Spellings()


def folded(text: str) -> str:
    return text.translate(_SPELLINGS)


def letters(text: str) -> str:
    """The letters and digits of `text` alone, small and folded."""
    return "".join(character for character in folded(text).lower() if character.isalnum())


def spelled_out(text: str) -> str:
    """`text` with the letters of other alphabets as they are written without them: "Müller", "Mueller"."""
    return "".join(RULES.letters.get(character, character) for character in text.lower())


@dataclass(frozen=True, slots=True)
class Reading:
    """A document folded, and the same in small letters; both as long as the document is."""

    text: str
    small: str

    @classmethod
    def of(cls, text: str) -> Reading:
        text = folded(text)
        small = text.lower()
        if len(small) != len(text):
            # A capital whose small form has more characters keeps its own.
            small = "".join(one if len(one) == 1 else whole for whole in text for one in (whole.lower(),))
        return cls(text, small)
