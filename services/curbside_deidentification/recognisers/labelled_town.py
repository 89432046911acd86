"""Towns behind their label. 45 CFR 164.514(b)(2)(i)(B)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.lexicon import Lexicon
from curbside_deidentification.domain.patterns import WordRecogniser
from curbside_deidentification.recognisers.writing.places import (
    CAP,
    LABEL_END,
    NO_LABEL,
    NO_NEXT_LABEL,
    NOTHING,
)


class LabelledTown(WordRecogniser):
    """ "City: Mobile": the label says what the word alone does not."""

    category = Category.LOCATION
    score = 0.88
    pattern = re.compile(
        r"\b(?i:city|town|municipality|village|city[ ]?/[ ]?town|city[ ]of[ ]residence|home[ ]?town|"
        r"birth[ ]?place|"
        r"place[ ]of[ ](?:birth|residence|death)|neighbou?rhood|city,?[ ]state(?:,?[ ]zip)?|"
        r"city/state(?:/zip)?)"
        rf"{LABEL_END}(?P<phi>{NO_LABEL}(?:(?:St|Mt|Ft|ST|MT|FT)\.[ ])?{CAP}"
        rf"(?:[ ](?:(?:of|or|the|du|de|la|del)[ ]){{0,2}}{NO_NEXT_LABEL}{CAP}){{0,3}})"
    )

    def bounds(self, match: re.Match[str], lexicon: Lexicon) -> tuple[int, int] | None:
        return None if match["phi"].casefold() in NOTHING else match.span("phi")
