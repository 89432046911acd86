"""Streets without a house number. 45 CFR 164.514(b)(2)(i)(B)."""

from __future__ import annotations

import re
from typing import Final

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser
from curbside_deidentification.recognisers.writing.places import CAP

_NAME: Final = rf"(?:[NSEW]\.?[ ])?(?:(?:St\.[ ])?{CAP}[ ]|\d{{1,3}}(?:st|nd|rd|th)[ ]){{1,3}}?"
# Suffixes that nothing else ends with, and those that titles, plans and courts share.
_SURE: Final = "Street|Avenue|Ave|Road|Rd|Boulevard|Blvd|Lane|Ln|Highway|Hwy|Parkway|Pkwy|Turnpike"
_SHARED: Final = "Court|Ct|Circle|Cir|Terrace|Ter|Trail|Trl|Place|Pl|Loop|Pike|Alley|Crescent"
_END: Final = (
    r"\.?(?:[ ](?:and|in|by|where|when|near|at|with|overpass|bridge|exit|station|stop|shelter|address|"
    r"apartment|house)\b|"
    r"[,;)]|\.?$)"
)


class UnnumberedStreet(PatternRecogniser):
    """ "fell on Elm Street", "the 1200 block of Quincy Ave.": a street behind a word that places somebody, or
    behind the comma after a house's name."""

    category = Category.LOCATION
    score = 0.8
    pattern = re.compile(
        rf"(?:\b(?:(?P<on>on|near|off|along|down)|at|from|to|of|and)[ ](?:the[ ])?|"
        rf"(?<=[a-z])(?P<beside>,)[ ])"
        rf"(?P<phi>{_NAME}(?:{_SURE}|(?(beside)Ct(?=[ ]?[.,;)]|$)|Drive)|St(?={_END})|(?(on)(?:{_SHARED}|"
        rf"Dr(?={_END}|\.\s))|(?!)))"
        r"\b\.?)(?![\w-])"
    )
