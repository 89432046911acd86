"""The facility that heads a document. 45 CFR 164.514(b)(2)(i)(B)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.lexicon import Lexicon
from curbside_deidentification.domain.patterns import WordRecogniser
from curbside_deidentification.recognisers.writing.facility_words import says_place
from curbside_deidentification.recognisers.writing.places import CAP


class Letterhead(WordRecogniser):
    """Two to seven capitalised words that a document begins with, before its title.

    They are a name where a word of them is no plain one, or is of landscape or a saint's.
    """

    category = Category.FACILITY
    score = 0.82
    pattern = re.compile(
        rf"\A\s{{0,20}}(?P<phi>(?:(?:St|Mt|Ft|ST|MT|FT)\.[ ])?{CAP}(?:[ ](?:(?:of|the|and|at|&|OF|AND|"
        rf"AT)[ ]){{0,2}}"
        rf"{CAP}){{1,6}}?)(?:[ ]{{0,8}}[,-–|]?[ \t]{{0,8}}[\r\n]{{1,4}}[ \t]{{0,40}}|[ ]{{1,8}}[-–|"
        rf"]?[ ]{{0,8}})"
        r"(?i:(?:department|division|dept|section)[ ]of\b|history[ ](?:and|&)|discharge[ ]|"
        r"progress[ ]note|operative[ ]|"
        r"consultation|patient[ ](?:registration|name|information|face)|face[ ]?sheet|emergency[ ]|"
        r"clinic[ ]note|"
        r"office[ ](?:visit|note)|radiology[ ]report|pathology[ ]|surgical[ ]pathology|"
        r"laboratory[ ]report|nursing[ ]note|"
        r"telephone[ ]|registration|admission[ ]|after[ ]visit|visit[ ]summary|procedure[ ]note|"
        r"letter[ ]|referral[ ])"
    )

    def bounds(self, match: re.Match[str], lexicon: Lexicon) -> tuple[int, int] | None:
        return match.span("phi") if says_place(match["phi"].split(), lexicon) else None
