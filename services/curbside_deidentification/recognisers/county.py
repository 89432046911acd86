"""Counties, parishes and boroughs. 45 CFR 164.514(b)(2)(i)(B)."""

from __future__ import annotations

import re
from typing import ClassVar

from curbside.phi import Category
from curbside_deidentification.domain.lexicon import GENERIC, Lexicon
from curbside_deidentification.domain.patterns import WordRecogniser
from curbside_deidentification.recognisers.writing.places import (
    BEFORE,
    CAP,
    LABEL_END,
    NO_LABEL,
    NO_NEXT_LABEL,
    NOTHING,
)


class County(WordRecogniser):
    """A county is smaller than a state, and the rule names it.

    "County Hospital" and "the County" are none.
    """

    category = Category.LOCATION
    score = 0.85
    pattern = re.compile(
        rf"{BEFORE}(?P<phi>(?:(?:St|Mt|ST|MT)\.[ ])?{CAP}(?:[ ]{CAP})?[ ](?:County|Parish|Borough|Township|"
        r"COUNTY|PARISH|BOROUGH|TOWNSHIP|Co\.(?=,)))(?!\w)"
        rf"|\b(?:County|Borough|Parish|Township)[ ]of[ ](?P<of>{CAP}(?:[ ]{CAP})?)"
        r"|\b(?i:county|parish|township)(?:[ ]of(?:[ ]residence)?|[ ]name)?"
        rf"{LABEL_END}(?P<labelled>{NO_LABEL}(?:(?:St|ST)\.[ ])?{CAP}(?:[ ]{NO_NEXT_LABEL}{CAP}){{0,2}}?"
        r"(?:(?:[ ](?:County|Parish|COUNTY|PARISH))|(?![ ][A-Z])|(?=[ ]\w{1,20}(?:[ ]\w{1,20})?[ ]?[:#])))"
    )
    _NO_NAME: ClassVar = frozenset("local his her our this that each every another".split())  # noqa: SIM905

    def bounds(self, match: re.Match[str], lexicon: Lexicon) -> tuple[int, int] | None:
        for group in ("labelled", "of"):
            if match[group] and match[group].casefold() not in NOTHING:
                return match.span(group)
        if not match["phi"]:
            return None
        start = match.start("phi")
        for word in match["phi"].split()[:-1]:
            if word.casefold() not in GENERIC and word.casefold() not in self._NO_NAME:
                return start, match.end("phi")
            start += len(word) + 1
        return None
