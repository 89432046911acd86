"""The first name that is an auxiliary: "Will gave copies to the officer". 45 CFR 164.514(b)(2)(i)(A)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser


class WillAsName(PatternRecogniser):
    """An auxiliary has the plain form of a verb behind it: never its past, nor "is" or "from"."""

    category = Category.NAME
    score = 0.8
    pattern = re.compile(
        r"(?:(?m:^)[ \t]{0,4}|(?<=[.!?;:] )|(?<=\band )|(?<=\bwith )|(?<=\b[Bb]y )|"
        r"(?<=\bBY ))(?P<phi>Will(?=[ ]"
        r"(?:gave|took|called|said|told|did|was|is|has|had|came|went|brought|asked|wants|reports|reported|"
        r"states|"
        r"stated|denies|denied|drew|saw|spoke|agreed|agrees|helped|drove|left|met|knows|feels|lives|works|"
        r"from|"
        r"and[ ][A-Z])\b|['’]s\b|,[ ]RN\b)|WILL(?=[ ][A-Z]\.(?:[ ]{2}|[ ]?[,;\n]))|"
        # "By" asks for somebody or a deed in "-ing".
        r"(?<=\b[Bb]y )Will(?=[ .,;])|(?<=\bBY )WILL(?=[ ](?:WITH|AT|ON|IN|AND|USING|VIA)\b|[.,;])|"
        # A surname behind it is a subject's, were it an auxiliary.
        r"WILL(?=[ ][A-Z]{3,20},[ ](?:RN|MD|RT|NP|PA|BSN|LPN)\b))"
    )
