"""Counties, parishes and boroughs. 45 CFR 164.514(b)(2)(i)(B)."""

from __future__ import annotations

import re
from typing import ClassVar

from curbside.phi import Category
from curbside_deidentification.domain.lexicon import GENERIC, Lexicon
from curbside_deidentification.domain.patterns import WordRecogniser
from curbside_deidentification.recognisers.writing.places import BEFORE, CAP


class County(WordRecogniser):
    """A county is smaller than a state, and the rule names it.

    "County Hospital" and "the County" are none.
    """

    category = Category.LOCATION
    score = 0.85
    pattern = re.compile(
        rf"{BEFORE}(?P<phi>(?:(?:St|Mt)\.[ ])?{CAP}(?:[ ]{CAP})?[ ](?:County|Parish|Borough|Township))\b"
        r"|\b(?i:county|parish|township)(?:[ ]of(?:[ ]residence)?)?[ ]?[:=][ ]{0,3}"
        r"(?P<labelled>[A-Z][a-z]{2,20})\b"
    )
    _NO_NAME: ClassVar = frozenset("local his her our this that each every another".split())  # noqa: SIM905

    def bounds(self, match: re.Match[str], lexicon: Lexicon) -> tuple[int, int] | None:
        if match["labelled"]:
            return match.span("labelled")
        first = match["phi"].split()[0].casefold()
        return None if first in GENERIC or first in self._NO_NAME else match.span("phi")
