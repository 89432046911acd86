"""A text in the one spelling that patterns and names are compared in, with the way back to its offsets.

"é" may be one character or two, and a soft hyphen may stand in any word, a fraction slash in a
date; a line may end at the hyphen of a word or a number, and a web page has its own space and line end: who
reads sees the same. What came over gRPC or in a batch is answered in the input's own offsets, so each
character remembers its place.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from curbside.spelling import WIDTHLESS, composed
from curbside_deidentification.domain.lexicon import Lexicon
from curbside_deidentification.domain.spans import Span

# What word processors and printed forms put for a slash (U+2044, U+2215, U+FF0F), a hyphen (U+2010, U+2011)
# and a space that breaks no line (U+00A0, U+2007, U+202F).
_TYPED: Final = str.maketrans(
    {"\u2044": "/", "\u2215": "/", "\uff0f": "/", "\u2010": "-", "\u2011": "-"}
    | dict.fromkeys("\u00a0\u2007\u202f", " ")
)
_PRINTED: Final = re.compile("[\u2044\u2215\uff0f\u2010\u2011\u00a0\u2007\u202f]")
# HTML's space that breaks no line and its line end, which exports leave in a text; a number that a line end
# breaks at its hyphen or slash, and a word that it breaks at its hyphen.
_BROKEN: Final = re.compile(
    r"(?P<space>&(?:nbsp|#160|#[xX][aA]0);)|(?P<line><[bB][rR][ ]?/?>)|"
    r"(?<=\d)(?P<number>[-/])[ \t]?\r?\n[ \t]{0,8}(?=\d)|(?<=\d)\r?\n[ \t]{0,8}(?P<slash>/)(?=\d\d)|"
    r"(?<=[^\W\d_])(?P<word>-)[ \t]?\r?\n[ \t]{0,8}(?=[a-zß-öø-ÿ])"
)
_HEAD: Final = re.compile(r"[^\W\d_]+\Z")
_TAIL: Final = re.compile(r"[^\W\d_]+")
_LONGEST_WORD: Final = 30


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
    def of(cls, text: str, lexicon: Lexicon | None = None) -> Composed:
        """`text` composed; `lexicon` tells whether a word that a line end breaks at its hyphen has one."""
        broken = {match.start(): match for match in _BROKEN.finditer(text)}
        composed_already = unicodedata.is_normalized("NFC", text)
        if composed_already and not (broken or WIDTHLESS.search(text) or _PRINTED.search(text)):
            return cls(text)
        pieces: list[str] = []
        starts: list[int] = []
        ends: list[int] = []
        reached = 0
        while reached < len(text):
            start = reached
            if (match := broken.get(start)) is not None:
                reached = match.end()
                piece = _mended(match, lexicon)
                if piece:
                    pieces.append(piece)
                    starts.append(start)
                    ends.append(reached)
                else:
                    ends[-1] = reached  # of the letter before, as a mark on it is
                continue
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


def _mended(match: re.Match[str], lexicon: Lexicon | None) -> str:
    """The one character that `match` of `_BROKEN` stands for; none for the hyphen of a word that has none
    elsewhere."""
    if match["space"]:
        return " "
    if match["line"]:
        return "\n"
    if match["word"] is None or lexicon is None:
        return match["number"] or match["slash"] or match["word"]
    text, start = match.string, match.start()
    head = "".join(_HEAD.findall(text, max(0, start - _LONGEST_WORD), start))
    tail = "".join(_TAIL.findall(text, match.end(), match.end() + _LONGEST_WORD)[:1])
    if lexicon.is_word(head + tail):
        return ""
    return "-" if lexicon.is_word(f"{head}-{tail}") else ""
