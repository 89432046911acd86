"""Roads known by a number: "off County Road 12", "I-40 and Tower Rd". 45 CFR 164.514(b)(2)(i)(B)."""

from __future__ import annotations

import re
from typing import Final

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser
from curbside_deidentification.recognisers.writing.places import CAP

_SPELT: Final = (
    r"(?i:(?:(?:county|state|township|forest|farm|ranch|rural|us|u\.s\.)[ ](?:road|rd|route|rte|rt|"
    r"highway|hwy)|"
    r"farm[ ]to[ ]market|interstate|highway|hwy|rte|rt|route)\.?)[ -]{1,2}(?:[A-Z]-?)?\d{1,4}[A-Z]?"
)
# Of an isotope of iodine and a sign of ultrasound a road has the letters; a road is driven on.
_SHORT: Final = r"(?:FM|CR|SR|RR|US)[ -]\d{1,4}|I-(?!1(?:2[345]|31)\b)\d{1,3}"
_STREET: Final = (
    rf"(?:{CAP}[ ]){{1,3}}(?:St|Street|Rd|Road|Ave|Avenue|Blvd|Ln|Lane|Dr|Drive|Pike|Pkwy|Hwy)\b\.?"
)


class NumberedRoad(PatternRecogniser):
    """A road's number behind a word that places somebody, alone or where it meets another road."""

    category = Category.LOCATION
    score = 0.8
    pattern = re.compile(
        rf"(?:\b(?i:(?:on|off|at|near|along|down|from|of)(?:[ ]of)?)[ ](?:the[ ])?|\b(?=(?:{_SPELT}|"
        rf"{_SHORT})[ ](?i:MV[AC]|north|south|east|west|bound|collision|crash|exit|near|"
        rf"at)))(?P<phi>(?:{_SPELT}|{_SHORT})"
        rf"(?:[ ]?(?i:[&/]|and|at|near)[ ]?(?:{_SPELT}|{_SHORT}|{_STREET}))?)(?![\w%]|[./]\d|[ ]?(?:mg|mL|"
        rf"mCi))"
    )
