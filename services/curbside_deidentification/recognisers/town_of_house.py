"""Towns of a house or of a telephone: "Rehabilitation Services, Reading". 45 CFR 164.514(b)(2)(i)(B)."""

from __future__ import annotations

import re
from typing import Final

from curbside.phi import Category
from curbside_deidentification.domain.lexicon import Lexicon, town_key, town_states
from curbside_deidentification.domain.patterns import WordRecogniser
from curbside_deidentification.recognisers.writing.addresses import TOWN
from curbside_deidentification.recognisers.writing.alternatives import by_initial

_KIND: Final = by_initial(
    r"hospital|infirmary|clinics?|cent(?:er|re)|services?|associates|group|partners|pharmacy|living|"
    r"rehab(?:ilitation)?|nursing[ ]home|mortuary|funeral[ ](?:home|service)|hospice|surgery|imaging|"
    r"laborator(?:y|ies)|manor|school|dental|pediatrics|dialysis|institute|medicine|P\.?C|LLC|Inc"
)


class TownOfHouse(WordRecogniser):
    """A listed town, were it a plain word, behind a house's kind and a comma, in the line below it, or
    between commas before a telephone number."""

    category = Category.LOCATION
    score = 0.8
    pattern = re.compile(
        rf"\b(?i:{_KIND})\b\.?,[ ](?=(?P<phi>{TOWN})(?:,(?![ ](?:MD|RN|DO|NP|PA)\b)|[ ]{{0,3}}(?m:$)))"
        rf"|\b(?:(?i:{_KIND})|[Oo][Ff][ ][A-Z]\w+)[ ]{{0,3}}\r?\n[ \t]{{0,4}}"
        rf"(?=(?P<below>{TOWN})[ ]{{0,3}}(?m:$))"
        rf"|,[ ](?=(?P<called>{TOWN}),[ ](?:(?:tel\.?|phone)[ ])?"
        rf"(?:\+?1[-. ])?\(?\d{{3}}\)?[-. ]\d{{3}}[-. ]\d{{4}})"
    )

    def bounds(self, match: re.Match[str], lexicon: Lexicon) -> tuple[int, int] | None:
        group = next(name for name in ("phi", "below", "called") if match[name])
        return match.span(group) if town_key(match[group]) in town_states() else None
