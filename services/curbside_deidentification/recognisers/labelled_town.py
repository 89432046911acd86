"""Towns behind their label. 45 CFR 164.514(b)(2)(i)(B)."""

from __future__ import annotations

import re
from typing import Final

from curbside.phi import Category
from curbside_deidentification.domain.lexicon import Lexicon, longest_town
from curbside_deidentification.domain.patterns import WordRecogniser
from curbside_deidentification.recognisers.writing.addresses import TOWN
from curbside_deidentification.recognisers.writing.places import (
    CAP,
    LABEL_END,
    NO_LABEL,
    NO_NEXT_LABEL,
    NOTHING,
)

_TOWN: Final = re.compile(TOWN)


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
        if match["phi"].casefold() in NOTHING:
            return None
        # Of a label in the same line ("Fond du Lac Zip:") the list of towns knows where it begins.
        town = _TOWN.match(match.string, match.start("phi"))
        listed = longest_town(town[0]) if town else 0
        return match.start("phi"), max(match.end("phi"), match.start("phi") + listed)
