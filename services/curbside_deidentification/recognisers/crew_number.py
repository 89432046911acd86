"""Numbers by which ambulance crews, police and their cars go: "EMT 4471", "Badge 4471".

45 CFR 164.514(b)(2)(i)(R).
"""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser


class CrewNumber(PatternRecogniser):
    """Three to six digits behind the degree of an ambulance's crew, an officer's rank or name, or a badge."""

    category = Category.OTHER_ID
    score = 0.75
    pattern = re.compile(
        r"(?:\b(?:A?EMT(?:-?[ABIP])?|EMR|NRP|MICP|MICT|[Pp]aramedic|PARAMEDIC|[Mm]edic|MEDIC|[Bb]adge|BADGE|"
        r"[Ss]hield|(?:[Oo]fficer|[Dd]eputy|[Tt]rooper|Ofc\.?|Sgt\.?|OFFICER|DEPUTY)(?:[ ][A-Z][\w'’-]+)?)"
        r"[ ]?(?:cert(?:ification)?|lic(?:ense)?|ID|no\.?|number)?[ ]?[#:(]{0,2}[ ]?(?P<phi>\d{3,6})"
        r"(?![\w%]|[.,:/-]\d|[ ](?:mg|ml|mcg|hours|hrs)\b))"
    )


class DispatchedUnit(PatternRecogniser):
    """A unit's number before what cars do: blood has units, too."""

    category = Category.OTHER_ID
    score = 0.7
    pattern = re.compile(
        r"\b(?:[Uu]nit|UNIT|[Aa]mbulance|AMBULANCE|[Ee]ngine|ENGINE|[Ll]adder|[Rr]escue|"
        r"RESCUE|[Tt]ruck)[ ]#?(?P<phi>\d{2,5})"
        r"(?=[ ](?i:transported|transporting|arrived|on[ ]scene|responded|responding|dispatched|"
        r"en[ ]?route|cleared|"
        r"returned|assigned|requested)\b)"
    )
