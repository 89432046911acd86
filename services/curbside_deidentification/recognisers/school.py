"""Schools and congregations by their kind: "Bywater Elementary". 45 CFR 164.514(b)(2)(i)(B)."""

from __future__ import annotations

import re
from typing import Final

from curbside.phi import Category
from curbside_deidentification.domain.lexicon import GENERIC, Lexicon
from curbside_deidentification.domain.patterns import WordRecogniser

_KINDS: Final = (
    r"(?:Elementary|Middle|High|Primary|Intermediate|Grammar|Preparatory|Prep|Charter|Montessori|"
    r"Technical)[ ]School|Elementary|Montessori|Academy|"
    r"(?:First[ ])?(?:Methodist|Baptist|Lutheran|Presbyterian|Episcopal|Catholic|Pentecostal|"
    r"A\.?M\.?E\.?)(?:[ ]Church)?|Temple|Synagogue|Mosque|"
    r"Parish|School[ ]District|ISD|Head[ ]Start|Day[ ]?care(?:[ ]Center)?|Child[ ]Care|"
    r"Fire[ ]Department|Police[ ]Department"
)
_NO_NAME: Final = GENERIC | frozenset(
    [
        "junior",
        "senior",
        "local",
        "former",
        "roman",
        "greek",
        "russian",
        "first",
        "second",
        "old",
        "new",
        "early",
        "southern",
        "united",
        "african",
        "free",
        "reformed",
        "wesleyan",
        "evangelical",
        "orthodox",
        "practicing",
        "devout",
        "active",
        "lifelong",
        "raised",
        "is",
        "was",
    ]
)


class School(WordRecogniser):
    """One or two capitalised words before the kind that are no common description of one."""

    category = Category.FACILITY
    score = 0.75
    pattern = re.compile(rf"(?<![\w-])(?P<phi>(?:[A-Z][\w'’.]{{2,20}}[ ]){{1,3}}(?:{_KINDS}))(?![\w-])")

    def bounds(self, match: re.Match[str], lexicon: Lexicon) -> tuple[int, int] | None:
        own = re.match(r"(?:[A-Z][\w'’.]{2,20}[ ]){1,3}?(?=(?:" + _KINDS + r")(?![\w-]))", match["phi"])
        if own is None or any(word.casefold() in _NO_NAME for word in own[0].split()):
            return None
        return match.span("phi")
