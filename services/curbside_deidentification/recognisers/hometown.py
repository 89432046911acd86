"""Towns by what people do in them: "comes from Concord". 45 CFR 164.514(b)(2)(i)(B)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.lexicon import GENERIC, Lexicon
from curbside_deidentification.domain.patterns import WordRecogniser
from curbside_deidentification.recognisers.writing.places import CAP


class Hometown(WordRecogniser):
    """A capitalised word behind "lives in" and the like is a town, whatever it means."""

    category = Category.LOCATION
    score = 0.8
    pattern = re.compile(
        r"\b(?i:comes\s+from|came\s+from|lives\s+in|living\s+in|lived\s+in|resides\s+in|residing\s+in|"
        r"born\s+in|native\s+of|"
        rf"resident\s+of|moved\s+(?:from|to)|grew\s+up\s+in|originally\s+from|hails\s+from|"
        rf"hometown\s+(?:of|is))\s+"
        rf"(?P<phi>{CAP}(?:[ ]{CAP}){{0,2}})"
    )

    def bounds(self, match: re.Match[str], lexicon: Lexicon) -> tuple[int, int] | None:
        return None if all(word.casefold() in GENERIC for word in match["phi"].split()) else match.span("phi")
