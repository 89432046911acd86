"""Towns with their state. 45 CFR 164.514(b)(2)(i)(B)."""

from __future__ import annotations

import re
from typing import ClassVar

from curbside.phi import Category
from curbside_deidentification.domain.lexicon import Lexicon
from curbside_deidentification.domain.patterns import WordRecogniser
from curbside_deidentification.recognisers.writing.places import BEFORE, CAP, STATE, all_words


class TownAndState(WordRecogniser):
    """ "Springfield, IL 62704" and "Springfield, IL". Abbreviations that are also words, credentials or
    conditions (MD, PA, MS, OR, IN, …) count only with a ZIP behind them."""

    category = Category.LOCATION
    score = 0.9
    pattern = re.compile(
        rf"{BEFORE}(?P<phi>(?:(?:St|Mt|"
        rf"Ft)\.\s)?{CAP}(?:[ ]{CAP}){{0,2}},?[ ](?P<state>{STATE})\b\.?"
        r"(?P<zip>,?\s+\d{5}(?:-\d{4})?)?)(?![\w-])"
    )
    _AMBIGUOUS: ClassVar = frozenset(
        "MD PA MS MA ME OR IN OK HI AL CO DE ID LA MT NE ND SC VA VI WA CT AR PR DC RI".split()  # noqa: SIM905
    )

    def bounds(self, match: re.Match[str], lexicon: Lexicon) -> tuple[int, int] | None:
        if match["zip"]:
            return match.span("phi")
        town, comma, _ = match["phi"].partition(",")
        named = comma and match["state"] not in self._AMBIGUOUS and not all_words(town, lexicon)
        return match.span("phi") if named else None
