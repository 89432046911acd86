"""Streets without a house number. 45 CFR 164.514(b)(2)(i)(B)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser
from curbside_deidentification.recognisers.writing.places import CAP


class UnnumberedStreet(PatternRecogniser):
    """ "fell on Elm Street", "the 1200 block of Quincy Ave.": a street behind a word that places somebody."""

    category = Category.LOCATION
    score = 0.8
    pattern = re.compile(
        r"\b(?:on|at|near|off|along|from|to|of|and)[ ](?:the[ ])?(?P<phi>(?:[NSEW]\.?[ ])?(?:(?:St\.[ ])?"
        rf"{CAP}[ ]|\d{{1,3}}(?:st|nd|rd|th)[ ]){{1,3}}?(?:Street|Avenue|Ave|Road|Rd|Boulevard|Blvd|"
        rf"Drive|Lane|Ln|"
        r"Highway|Hwy|Parkway|Pkwy|Turnpike|St(?=\.?(?:[ ](?:and|in|by|where|when)\b|[,;.)]|"
        r"$)))\b\.?)(?![\w-])"
    )
