"""Surnames with particles: "Van der Osgood", "de la Lind", "Dell'Aquila". 45 CFR 164.514(b)(2)(i)(A)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.gate import before_eponym
from curbside_deidentification.domain.lexicon import Lexicon
from curbside_deidentification.domain.patterns import WordRecogniser


class ParticledName(WordRecogniser):
    """Two particles, a capital one and a name that is no word, or an Italian article before an apostrophe;
    von Willebrand is an eponym."""

    category = Category.NAME
    score = 0.8
    pattern = re.compile(
        r"(?<![\w-])(?P<phi>(?:(?P<two>(?:[Vv]an|[Vv]on|VAN|VON)[ ](?:de[rn]?|DE[RN]?|het)|"
        r"[Dd]e[ ]la|[Dd]e[ ]los|DE[ ]LA|[Dd]e[ ]las)|Van|Von|VAN)[ ]"
        r"(?P<last>[A-Z][^\W\d_]{2,20}(?:-[A-Z][^\W\d_]{1,20})?)|"
        r"(?:[DN]ell|Dall|Degl|Sant|[DN]ELL|DALL|DEGL|SANT)['’](?P<article>[A-Z][^\W\d_]{2,20}))(?![\w-])"
    )

    def bounds(self, match: re.Match[str], lexicon: Lexicon) -> tuple[int, int] | None:
        if match["article"] is not None:
            return match.span("phi")
        last, text = match["last"], match.string
        bare = last.casefold()
        if (
            bare in lexicon.eponyms
            or bare
            in ("tourette", "woude", "waals", "hippel", "willebrand", "recklinghausen", "gierke", "kossa")
            or before_eponym(text, match.end())
        ):
            return None
        if (
            lexicon.is_word(last)
            and (match["two"] is None or bare not in lexicon.surnames)
            and not match["two"]
        ):
            return None
        return match.span("phi")
