"""A text in the one spelling that patterns and names are compared in, with the way back to its offsets.

"é" may be one character or two, and a soft hyphen may stand in any word, a fraction slash in a
date: who reads sees the same. What came over gRPC or in a batch is answered in the input's own offsets, so
each character remembers its place.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace

from curbside.spelling import ODD, WIDTHLESS, composed
from curbside_deidentification.domain.spans import Span


@dataclass(frozen=True, slots=True)
class Composed:
    """`text` is composed; `text[i]` stands for what `starts[i]` to `ends[i]` is in the input. Both are None
    where the input was composed already."""

    text: str
    starts: Sequence[int] | None = None
    ends: Sequence[int] | None = None

    @classmethod
    def of(cls, text: str) -> Composed:
        if unicodedata.is_normalized("NFC", text) and not ODD.search(text):
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
            piece = composed(text[start:reached])
            pieces.append(piece)
            starts.extend([start] * len(piece))
            ends.extend([reached] * len(piece))
        return cls("".join(pieces), starts, ends)

    def in_input(self, span: Span) -> Span:
        """`span` of the composed text in the input's offsets, whole characters with their marks."""
        if self.starts is None or self.ends is None:
            return span
        return replace(span, start=self.starts[span.start], end=self.ends[span.end - 1])
