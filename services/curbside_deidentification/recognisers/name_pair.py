"""Two surnames with a stroke between, as staff sign: "Osgood/Lind". 45 CFR 164.514(b)(2)(i)(A)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from curbside.phi import Category
from curbside_deidentification.domain.lexicon import Lexicon
from curbside_deidentification.domain.spans import Span
from curbside_deidentification.recognisers.writing.evidence import NameReader

_PART: Final = (
    r"(?:(?:Van|De|Del|Von|St\.)[ ](?:(?:der|den|"
    r"la)[ ])?)?(?:[A-Z][a-z]?['’])?[A-ZÀ-Þ][^\W\d_A-Z]{1,20}(?:[A-Z][a-z]{1,20})?(?:-[A-Z][^\W\d_]{1,20})?"
)
_PAIR: Final = re.compile(rf"(?<![\w/.-])(?P<one>{_PART})[ ]?/[ ]?(?P<two>{_PART})(?![\w/]|-\w)")


_COLOURS: Final = re.compile(
    r"\b(?:Black|White|Brown|Gray|Grey|Green|Red|Blue|Rose|Violet|Olive|Day|Hand|Foot|Summer|Winter)\b"
)
_SIGN: Final = re.compile(r"(?:[-–—:.;]|^)[ ]{0,2}\Z|\n[ \t]{0,4}\Z")
_END: Final = re.compile(r"[ ]?[.;]?[ ]{0,3}(?:[\r\n]|\Z)")


def _signs(text: str, match: re.Match[str]) -> bool:
    """Whether a pair of words ends a line behind a sign that sets it apart."""
    return (
        _SIGN.search(text, max(0, match.start() - 6), match.start()) is not None
        and _END.match(text, match.end()) is not None
        and not _COLOURS.search(match[0])
    )


class NamePair:
    """Both may be names, and at least one is no word: "Brown/Lind", and not "Brown/Black"."""

    def find(self, text: str, lexicon: Lexicon) -> Iterator[Span]:
        reader = NameReader(text, lexicon)
        for match in _PAIR.finditer(text):
            weighed = [reader.word(match[group].split()[-1]) for group in ("one", "two")]
            one, two = weighed
            if one is None or two is None or min(one.last, two.last) < 1:
                continue
            if one.plain and two.plain and not _signs(text, match):
                continue
            if not any(word.listed and not word.plain for word in weighed if word) and not (
                one.listed or two.listed
            ):
                continue
            for group in ("one", "two"):
                yield Span(match.start(group), match.end(group), Category.NAME, 0.75, "NamePair")
