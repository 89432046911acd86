"""Towns in the line below a street: addresses over lines without a state. 45 CFR 164.514(b)(2)(i)(B)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.lexicon import Lexicon, longest_town
from curbside_deidentification.domain.patterns import WordRecogniser
from curbside_deidentification.recognisers.writing.addresses import TOWN
from curbside_deidentification.recognisers.writing.places import CAP, STREET


class TownBelowStreet(WordRecogniser):
    """A listed town that is all of the line below a house number and a street; so USPS Publication 28,
    section 2, orders them."""

    category = Category.LOCATION
    score = 0.8
    pattern = re.compile(
        rf"\d{{1,6}}[ ](?:[NSEW]\.?[ ])?(?:{CAP}[ ]|\d{{1,3}}(?:st|nd|rd|"
        rf"th)[ ]){{1,4}}{STREET}\.?[^\n\r]{{0,16}}[ \t]{{0,3}}"
        rf"\r?\n[>| \t]{{0,8}}(?P<phi>{TOWN})(?=[ \t]{{0,4}}(?:,|\r?\n|\Z))"
    )

    def bounds(self, match: re.Match[str], lexicon: Lexicon) -> tuple[int, int] | None:
        return match.span("phi") if longest_town(match["phi"]) == len(match["phi"]) else None
