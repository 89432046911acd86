"""A text in the one spelling that patterns and names are compared in, with the way back to its offsets.

"é" may be one character or two, and a soft hyphen may stand in any word, a fraction slash in a
date: who reads sees the same. What came over gRPC or in a batch is answered in the input's own offsets, so
each character remembers its place.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from curbside.spelling import WIDTHLESS, composed
from curbside_deidentification.domain.spans import Span

# What word processors and printed forms put for a slash (U+2044, U+2215, U+FF0F), a hyphen (U+2010, U+2011)
# and a space that breaks no line (U+00A0, U+2007, U+202F).
_TYPED: Final = str.maketrans(
    {"\u2044": "/", "\u2215": "/", "\uff0f": "/", "\u2010": "-", "\u2011": "-"}
    | dict.fromkeys("\u00a0\u2007\u202f", " ")
)
_PRINTED: Final = re.compile("[\u2044\u2215\uff0f\u2010\u2011\u00a0\u2007\u202f]")


def typed(text: str) -> str:
    """`text` composed, with the one slash, hyphen and space that are typed.

    For what is searched and compared here alone: intake keeps what was printed, and its keyed hashes of ids
    and texts hang on it.
    """
    return composed(text).translate(_TYPED)


@dataclass(frozen=True, slots=True)
class Composed:
    """`text` is composed; `text[i]` stands for what `starts[i]` to `ends[i]` is in the input. Both are None
    where the input was composed already."""

    text: str
    starts: Sequence[int] | None = None
    ends: Sequence[int] | None = None

    @classmethod
    def of(cls, text: str) -> Composed:
        if unicodedata.is_normalized("NFC", text) and not (WIDTHLESS.search(text) or _PRINTED.search(text)):
            return cls(text)
        pieces: list[str] = []
        starts: list[int] = []
        ends: list[int] = []
        reached = 0
        while reached < len(text):
            start = reached
            reached += 1
            # A character with the marks on it, composed together, and what has no width behind it.
            while reached < len(text) and (
                unicodedata.combining(text[reached]) or WIDTHLESS.match(text, reached)
            ):
                reached += 1
            piece = typed(text[start:reached])
            pieces.append(piece)
            starts.extend([start] * len(piece))
            ends.extend([reached] * len(piece))
        return cls("".join(pieces), starts, ends)

    def in_input(self, span: Span) -> Span:
        """`span` of the composed text in the input's offsets, whole characters with their marks."""
        if self.starts is None or self.ends is None:
            return span
        return replace(span, start=self.starts[span.start], end=self.ends[span.end - 1])
