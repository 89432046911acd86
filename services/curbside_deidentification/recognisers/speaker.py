"""Who says what in a chat, a log or an e-mail: "[08:11] Stone: saw and agree", "Ruth Bell 8:11 AM: ok".

45 CFR 164.514(b)(2)(i)(A).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from curbside.phi import Category
from curbside_deidentification.domain.lexicon import Lexicon
from curbside_deidentification.domain.name_words import NEVER_NAME
from curbside_deidentification.domain.spans import Span
from curbside_deidentification.recognisers.writing.evidence import NameReader

_PART: Final = (
    r"(?:(?:[Vv]an|[Vv]on|[Dd]e|[Dd]el)[ ](?:(?:der|den|"
    r"la)[ ])?)?[A-Z][^\W\d_]{0,20}(?:['’-][A-Z][^\W\d_]{1,20})?"
)
_NAME: Final = rf"(?P<phi>{_PART}(?:[ ][A-Z]\.)?(?:[ ]{_PART}){{0,2}})"
_TIME: Final = r"\d{1,2}:\d\d(?::\d\d)?(?:[ ]?[AaPp]\.?[Mm]\.?)?"
_SAYS: Final = re.compile(
    rf"(?:(?m:^)[>*\- \t]{{0,6}}(?:\[[^\]\r\n]{{3,30}}\]|"
    rf"\(?(?:[\d/.-]{{3,10}}[ ,]{{1,2}})?(?:{_TIME}|[0-2]\d[0-5]\d(?!\d))\)?)[ ]?[-–]?[ ]?{_NAME}"
    rf"(?:[ ]\([^)\r\n]{{1,20}}\))?:[ ](?=\S)"
    rf"|(?m:^)[>*\- \t]{{0,6}}{_NAME.replace('phi', 'timed')}[ ,]{{1,2}}"
    rf"[\[(]?(?:[\d/.-]{{3,10}}[ ,]{{1,2}})?{_TIME}[\])]?[ ]?[:>-]"
    rf"|(?m:^)[>*\- \t]{{0,8}}{_NAME.replace('phi', 'wrote')}(?:[ ]<[^>\r\n]{{3,60}}>)?[ ](?:wrote|"
    rf"writes|replied|responded|said|added):"
    rf"|(?m:^)[>* \t]{{0,6}}{_NAME.replace('phi', 'asked')}[ ]?(?:[,]|[-–—]{{1,2}})[ ](?=(?:can|"
    rf"could|would|please|pls|thanks|thank|thx|sure|yes|no|ok|okay|i|we|the|"
    r"this|just|fyi|will|did|do|is|are|have|any|see|per|got|yep|sounds|let|sorry|good)\b)|"
    r"\b(?i:take[ ]care|thx|thanks|ty|tysm|hey|hi|yo|ok|okay|yes|no|np|cheers)"
    rf"[,! ]{{1,2}}{_NAME.replace('phi', 'called')}(?=[,!.]|[ ](?:is|was|will|has|said)\b|"
    rf"[ ]?[-–—]|[ ]?[\r\n]|\Z)"
    r")"
)


class Speaker:
    """One to three parts, one of them a frequent name, and none a word of a heading."""

    def find(self, text: str, lexicon: Lexicon) -> Iterator[Span]:
        reader = NameReader(text, lexicon)
        for match in _SAYS.finditer(text):
            group = match.lastgroup
            assert group is not None
            parts = [part for part in re.split(r"[ ]", match[group]) if part[0].isupper() and len(part) > 1]
            parts = [part for part in parts if part.rstrip(".")[1:]]
            words = [reader.word(part) for part in parts]
            if any(word is None for word in words) or any(part.casefold() in NEVER_NAME for part in parts):
                continue
            if group in ("asked", "called") and not all(
                word.listed and not part.isupper() for word, part in zip(words, parts, strict=True) if word
            ):
                continue
            if max((max(word.first, word.last) for word in words if word), default=0) < 1:
                continue
            if all(part.isupper() for part in parts) and any(word.plain for word in words if word):
                continue
            if any(word.plain and not max(word.first, word.last) for word in words if word):
                continue
            yield Span(match.start(group), match.end(group), Category.NAME, 0.8, "Speaker")
