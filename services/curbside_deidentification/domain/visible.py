"""What identifies by itself and can be seen in a text with its spans replaced: a number like an SSN or of a
telephone, an e-mail address, whole or what a span left of it.

Whoever releases a text needs a second person where one is seen, so that here a form is taken as widely as a
reader takes it. `domain/risk.py` has narrower ones: there one stops a report among thousands.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import groupby
from types import MappingProxyType
from typing import Final

from curbside.phi import Category
from curbside_deidentification.domain.spans import Span

# A character in the place of each that a span hides, by what it hides: the rest keeps its offsets.
_HIDDEN: Final = "\ue000"
_SSN: Final = "\ue001"
_PHONE: Final = "\ue002"
_BY_CATEGORY: Final = {Category.SSN: _SSN, Category.PHONE: _PHONE, Category.FAX: _PHONE}
_ANY: Final = f"{_HIDDEN}{_SSN}{_PHONE}"
_DASH: Final = r"[-\u2010-\u2013\u2212]"
_BETWEEN: Final = r"\s{0,2}[-\u2010-\u2013\u2212./]\s{0,2}"
# Each run of characters is tried from its beginning alone: a page without a space costs one reading of it.
_RUN: Final = rf"(?<![\w.+'{_ANY}-])[\w.+'{_ANY}-]+"
_LOCAL: Final = rf"(?<![\w.+'{_ANY}-])(?=[\w.+'{_ANY}-]*?(?:[^\W\d]|[{_ANY}]))[\w.+'{_ANY}-]+"
_TOP: Final = r"(?:[a-z]{2,24}|COM|ORG|NET|EDU|GOV)\b"
# Of an amount and a range the figures look like a telephone number's: "500-1000 mL".
_NO_AMOUNT: Final = r"(?!\d|[-./]\d|\s?(?:m[clg]|mcg|cc|k|u(?:nits?)?|g|l|%|x|cells?|copies|/)\b)"
_SIGNS: Final[Mapping[str, re.Pattern[str]]] = MappingProxyType(
    {
        "social_security_number": re.compile(
            rf"(?<![\w-])\d{{3}}(?:{_BETWEEN}\d{{2}}{_BETWEEN}|\s{{1,2}}\d{{2}}\s{{1,2}})\d{{4}}(?![\w-])"
            # Each figure apart, and what is left beside one that was cut short.
            r"|(?<!\d)(?<!\d[ -])(?:\d[ -]{1,3}){8}\d(?![ -]{0,3}\d)"
            rf"|{_SSN}(?:\d|\s{{0,2}}[/-]\s{{0,2}}\d|\s{{1,2}}\d(?!\d|\s?[a-z]))[\d\s/-]{{0,12}}"
            rf"|(?<!\w)(?:(?:\d\s){{2,8}}|\d{{1,5}}\s{{0,2}}[/-]\s{{0,2}}){_SSN}"
            r"|\b(?i:ssn|ss#|soc(?:ial)?\.?\s{1,3}sec(?:urity)?)\b[^\w\n]{0,12}"
            r"(?:(?i:no|numbers?|num|is|ending|ends|in)\b[^\w\n]{0,3}){0,3}\d[\d\s/-]{0,24}\d"
        ),
        "telephone_number": re.compile(
            rf"(?<![\w.-])(?:\+?1{_BETWEEN})?(?:\(\s?\d{{3}}\s?\)\s{{0,2}}|\d{{3}}(?:{_BETWEEN}|\s{{1,2}}))"
            rf"\d{{3}}(?:{_BETWEEN}|\s{{1,2}})\d{{4}}(?![\w-])"
            rf"|(?<![\w.-])(?!\d{{2}}0{_DASH}\d{{3}}0)\d{{3}}{_DASH}\s{{0,2}}\d{{4}}(?!\w){_NO_AMOUNT}"
            r"|(?<![\w.-])[2-9]\d{2}[2-9]\d{6}(?!\w)"
            r"|(?<!\d)(?<!\d[ -])(?:\d[ -]{1,3}){9}\d(?![ -]{0,3}\d)"
            rf"|{_PHONE}\s{{0,2}}(?:{_DASH}\s{{0,2}}|(?i:x|ext\.?)\s{{0,2}})\d{{2,}}"
            rf"|\(\s?\d{{3}}\s?\)\s{{0,2}}{_PHONE}|(?<![\w.-])\d{{3}}{_DASH}\s{{0,2}}{_PHONE}"
        ),
        "email_address": re.compile(
            # With a domain, also spaced.
            rf"{_RUN}\s{{0,2}}@\s{{0,2}}(?:[^\W_][\w-]{{0,62}}\s{{0,2}}\.\s{{0,2}}){{1,5}}{_TOP}"
            # Without one; behind a figure alone it is a dose or a time: "5@0900".
            rf"|{_LOCAL}@(?:[^\W\d{_ANY}][\w-]*(?:\.[\w-]+)*|[{_ANY}])"
            r"|(?<![\w.+-])(?=[^\W\d]\w*?[._+-]\w)[\w.+-]+\s{1,2}@\s{1,2}[^\W\d]\w*"
            rf"|{_RUN}\s?[\[({{<]\s?(?i:at|@)\s?[\])}}>]\s?\w+"
            rf"|{_RUN}\s(?i:at)\s(?:\w+\s(?i:dot)\s){{1,5}}(?i:com|org|net|edu|gov)\b"
        ),
    }
)


def visible_signs(text: str, hidden: Sequence[Span]) -> dict[str, list[tuple[int, int]]]:
    """Where each sign can be seen in `text` with `hidden` (disjoint) replaced, in the offsets of `text`.

    Of a sign that a span hides in part, the place is what is left.
    """
    masked = [*text]
    for span in hidden:
        mask = _BY_CATEGORY.get(span.category, _HIDDEN)
        masked[span.start : span.end] = mask * (span.end - span.start)
    shown = "".join(masked)
    found = {
        sign: [place for match in pattern.finditer(shown) for place in [_left(match)] if place is not None]
        for sign, pattern in _SIGNS.items()
    }
    return {sign: places for sign, places in found.items() if places}


def _left(match: re.Match[str]) -> tuple[int, int] | None:
    """The longest piece of `match` that no span hides."""
    pieces: list[tuple[int, int]] = []
    for is_hidden, group in groupby(range(*match.span()), lambda at: match.string[at] in _ANY):
        places = [at for at in group if not match.string[at].isspace()]
        if places and not is_hidden:
            pieces.append((places[0], places[-1] + 1))
    return max(pieces, key=lambda piece: piece[1] - piece[0], default=None)
