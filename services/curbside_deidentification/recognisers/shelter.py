"""Shelters and missions by their name: "Union Gospel Mission". 45 CFR 164.514(b)(2)(i)(B)."""

from __future__ import annotations

import re
from typing import Final

from curbside.phi import Category
from curbside_deidentification.domain.lexicon import GENERIC, Lexicon
from curbside_deidentification.domain.patterns import WordRecogniser
from curbside_deidentification.recognisers.writing.places import BEFORE

# Kinds of shelter, and what begins a sentence or a heading.
_NO_NAME: Final = GENERIC | frozenset(
    """
    homeless overnight animal domestic violence youth men's men winter night transitional housing he she they
    pt patient vision statement space the at from to stays lives social safe
    """.split()  # noqa: SIM905
)


class Shelter(WordRecogniser):
    """One to three capitalised words before the kind, one of which is more than a kind of shelter."""

    category = Category.FACILITY
    score = 0.75
    pattern = re.compile(
        rf"{BEFORE}(?P<phi>(?P<own>[A-Z][\w'’]{{2,16}}(?:[ ][A-Z][\w'’]{{2,16}}){{0,2}}?)[ ](?:Rescue[ ])?"
        r"(?:Mission|Shelter|Halfway[ ]House|Soup[ ]Kitchen|Sober[ ](?:Living|House)|Food[ ]Bank|Rescue))"
        r"(?![\w'’:-])"
    )

    def bounds(self, match: re.Match[str], lexicon: Lexicon) -> tuple[int, int] | None:
        own = [word.casefold() for word in match["own"].split()]
        return None if all(word in _NO_NAME for word in own) else match.span("phi")
