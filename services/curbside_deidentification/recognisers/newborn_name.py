"""Newborns before they have a first name: "Baby Boy Osgood", "BB Lind". 45 CFR 164.514(b)(2)(i)(A)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.lexicon import Lexicon
from curbside_deidentification.domain.name_words import NEVER_NAME
from curbside_deidentification.domain.patterns import WordRecogniser
from curbside_deidentification.recognisers.writing.names import PART, PARTICLE


class NewbornName(WordRecogniser):
    """What a nursery writes for the first name belongs to the name where a surname stands beside it."""

    category = Category.NAME
    score = 0.85
    pattern = re.compile(
        rf"(?<![\w-])(?P<phi>(?:(?:[Bb]aby|BABY|[Ii]nfant|INFANT|[Tt]win|TWIN|[Nn]ewborn|"
        rf"NEWBORN)[ ](?:(?:[Bb]oy|[Gg]irl|BOY|GIRL|"
        rf"[MFAB])[ ])?(?:(?:of|OF)[ ])?|(?:BB|BG|NB)[ ]|(?:[Bb]oy|[Gg]irl|BOY|"
        rf"GIRL)[ ])(?:[AB][ ])?(?P<last>{PARTICLE}?{PART})"
        rf"|(?P<family>{PARTICLE}?{PART}),[ ]?(?:(?:BABY|Baby)[ ]?)?(?:BOY|GIRL|Boy|Girl|BB|BG|"
        rf"MALE|FEMALE)\b(?:[ ][AB])?)(?![\w-])"
    )

    def bounds(self, match: re.Match[str], lexicon: Lexicon) -> tuple[int, int] | None:
        last = (match["last"] or match["family"]).split()[-1]
        lower = last.casefold()
        if len(last) < 2 or lower in NEVER_NAME:
            return None
        if lexicon.is_word(last) and (
            lower not in lexicon.surnames or match.string[match.end() :][:1] == ":"
        ):
            return None
        return match.span("phi")
