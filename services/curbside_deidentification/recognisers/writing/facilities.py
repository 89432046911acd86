"""What of a facility's mention is its own name."""

from __future__ import annotations

import re

from curbside_deidentification.domain.lexicon import GENERIC, Lexicon
from curbside_deidentification.recognisers.writing.places import opens_line


def own_name(text: str, start: int, end: int, lexicon: Lexicon) -> int | None:
    """Where the facility's own name starts, or None where nothing before its kind is a name."""
    words = [(match.start(), match[0].strip(".,")) for match in re.finditer(r"\S+", text[start:end])]
    opening = None
    for offset, word in words:
        bare = word.casefold()
        if bare in GENERIC or not word[:1].isupper():
            continue
        if opening is None and opens_line(text, start):
            opening = start + offset
        if (
            bare in ("saint", "st", "mt", "mount")
            or not lexicon.is_word(word)
            or not _heading(text, start + offset)
        ):
            return start + offset if opening is None else opening
    whole_line = opens_line(text, start) and text[end : end + 1] in ("", "\n", "\r")
    return opening if whole_line else None


def _heading(text: str, at: int) -> bool:
    """Whether the word at `at` opens a line in capitals or a sentence, where a capital proves nothing."""
    before = text[:at].rstrip(" ")
    return not before or before[-1] in ".\n:;•*-"
