"""Names behind a title in small letters: "dr. osgood". 45 CFR 164.514(b)(2)(i)(A)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.lexicon import Lexicon
from curbside_deidentification.domain.name_words import NEVER_NAME
from curbside_deidentification.domain.patterns import WordRecogniser


class LowerTitledName(WordRecogniser):
    """A title and one or two words in small letters: the first is in no vocabulary, or a frequent surname
    behind "dr", which nothing else follows there: "dr black". Without its point a title is "dr" or "mr"."""

    category = Category.NAME
    pattern = re.compile(
        r"(?<!\w)(?:(?P<title>dr|mr|mrs|ms|prof)\.[ ]{1,2}|(?P<bare>dr|"
        r"mr)[ ])(?P<phi>(?P<first>[a-zß-öø-ÿ]{3,20})"
        r"(?P<second>[ ][a-zß-öø-ÿ]{3,20})?)\b"
    )

    def bounds(self, match: re.Match[str], lexicon: Lexicon) -> tuple[int, int] | None:
        if lexicon.is_word(match["first"]):
            doctor = "dr" in (match["title"], match["bare"])
            if not doctor or match["first"] not in lexicon.surnames or match["first"] in NEVER_NAME:
                return None
            return match.span("first")
        second = match["second"]
        more = second and not lexicon.is_word(second.strip())
        return match.start("phi"), match.end("second" if more else "first")
