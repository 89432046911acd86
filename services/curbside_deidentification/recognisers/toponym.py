"""Places named by the land: "from Quarry Hill", "at The Willows". 45 CFR 164.514(b)(2)(i)(B)."""

from __future__ import annotations

import re
from typing import Final

from curbside.phi import Category
from curbside_deidentification.domain.lexicon import Lexicon
from curbside_deidentification.domain.patterns import WordRecogniser
from curbside_deidentification.recognisers.writing.places import CAP, DEVOTIONAL, TOPONYMS

# Stars and suns of tests, frames and figures are none: "at Level Star".
_NOT_ALONE: Final = frozenset(
    [
        "sun",
        "star",
        "snow",
        "town",
        "tree",
        "fork",
        "forks",
        "wood",
        "stone",
        "point",
        "bend",
        "bridge",
        "bay",
        "sky",
    ]
)
# Words that by themselves, with a capital amid a sentence, are houses' names.
_SAINTLY: Final = frozenset("mercy providence trinity bethesda bethany sinai lourdes carmel emmanuel".split())  # noqa: SIM905


class Toponym(WordRecogniser):
    """Two to four capitalised words behind "from", "at" and the like, one of landscape or a saint's.

    Homes, practices and hospitals are so called where their kind is left out. Amid a sentence in small
    letters capitals alone say that it is a name.
    """

    category = Category.FACILITY
    score = 0.7
    pattern = re.compile(
        rf"(?:(?<=[a-z,] )|(?<=^))(?:at|from|to|in|by|near|of)[ ](?P<phi>(?:The[ ])?(?:(?:St|Mt)\.[ ])?{CAP}"
        rf"(?:[ ](?:of[ ])?{CAP}){{0,3}})(?![\w-])"
    )

    def bounds(self, match: re.Match[str], lexicon: Lexicon) -> tuple[int, int] | None:
        words = [word.casefold().strip(".") for word in match["phi"].split() if word.casefold() != "of"]
        if match["phi"].isupper():
            return None
        if len(words) == 1:
            alone = words[0] in _SAINTLY or (words[0] in TOPONYMS and len(words[0]) > 6)
            return match.span("phi") if alone else None
        told = [word for word in words if word in TOPONYMS or word in DEVOTIONAL]
        return match.span("phi") if any(word not in _NOT_ALONE for word in told) else None
