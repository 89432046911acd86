"""Where a patient was, in a text of capitals. 45 CFR 164.514(b)(2)(i)(B)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.lexicon import Lexicon
from curbside_deidentification.domain.patterns import WordRecogniser
from curbside_deidentification.recognisers.writing.facility_words import FUNCTION_WORDS, says_which, toponymic


class CapitalPlace(WordRecogniser):
    """ "TRANSFERRED FROM QUARRY HILL.": what follows verb and preposition up to a mark or a small word.

    Where all is in capitals only landscape, a saint or a word that no vocabulary knows makes it a name.
    """

    category = Category.FACILITY
    score = 0.7
    pattern = re.compile(
        r"\b(?:TRANSFERRED|DISCHARGED|ADMITTED|REFERRED|SENT|RETURNED|BROUGHT|SEEN|TREATED|RESIDES|LIVES|"
        r"LIVED|FOLLOWED|"
        r"HOSPITALIZED|EVALUATED|REVIEWED|PERFORMED|OBTAINED|RESIDENT|CARE|DONE|MOVED|GO|WENT|PRESENTED|"
        r"EMPLOYED|WORKS)"
        r"(?:[ ](?:BACK|OVER|OUT|IN|UP|THERE))?[ ](?:FROM|TO|AT|BY|OF)[ ](?:THE[ ])?"
        r"(?P<phi>[A-Z][A-Z'’&.-]{1,24}(?:[ ][A-Z&][A-Z'’&.-]{0,24}){0,5})"
    )

    def bounds(self, match: re.Match[str], lexicon: Lexicon) -> tuple[int, int] | None:
        kept: list[re.Match[str]] = []
        for word in re.finditer(r"[^ ]+", match["phi"]):
            if word[0].strip(".").casefold() in FUNCTION_WORDS:
                break
            kept.append(word)
            if word[0].endswith(".") and word[0] not in ("ST.", "MT.", "FT."):
                break
        named = [word[0].strip(".") for word in kept if says_which(word[0].strip("."))]
        known = any(toponymic(word) for word in named) and len(kept) > 1
        if not known and not any(len(word) > 3 and not lexicon.is_word(word) for word in named):
            return None
        start = match.start("phi")
        return start, start + kept[-1].end() - kept[-1][0].endswith(".")
