"""Surname, comma, known given name, anywhere: "Hotchkinson, Mary". 45 CFR 164.514(b)(2)(i)(A)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.gate import TOKEN
from curbside_deidentification.domain.lexicon import Lexicon
from curbside_deidentification.domain.patterns import WordRecogniser
from curbside_deidentification.recognisers.writing.names import LAST_FIRST, without_labels


class LastFirst(WordRecogniser):
    """Behind the comma stands a given name of data/given_names.txt, before it no word."""

    category = Category.NAME
    pattern = re.compile(rf"(?<![\w-])(?P<phi>{LAST_FIRST})(?![\w-])")

    def bounds(self, match: re.Match[str], lexicon: Lexicon) -> tuple[int, int] | None:
        before, _, behind = match["phi"].partition(",")
        given = TOKEN.findall(behind)
        if given and lexicon.is_given(given[0]) and not lexicon.is_word(TOKEN.findall(before)[0]):
            return without_labels(match.string, *match.span("phi"))
        return None
