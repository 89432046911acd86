"""Month and day behind what happens on a day: "next visit 5/5", "hearing 1/9". 45 CFR 164.514(b)(2)(i)(C)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser
from curbside_deidentification.recognisers.writing.days import MONTH_DAY, NO_MEASURE, is_measured


class CuedMonthAndDay(PatternRecogniser):
    """Also in a note's title ("CARE CONFERENCE 8/5") and before a shift ("8/9 7p-7a"), where any day stands."""

    category = Category.DATE
    score = 0.75
    pattern = re.compile(
        r"(?:\b(?:[Nn]ext[ ](?:[a-z]{1,12}[ ]){1,2}(?:on[ ]|is[ ])?|(?i:hearing|court(?:[ ]date)?|arraignment|audit|deadline|"
        r"review|reconsented|consented|scheduled|rescheduled|booked|(?:moved|pushed|extended)[ ]to|until|till|thru|effective|eff|"
        r"expires?|last[ ](?:seen|dose|visit|fill|filled|worked|day|bm|period)|picked[ ]up|chat|huddle|to[ ]scope|himself|herself|"
        r"transferred(?:[ ]to)?|discharged|readmitted|moved|relapsed|quit|married|divorced|arrested|released)"
        r"(?:[ ][A-Z][\w'’.-]{1,20}){0,4}[ :]{1,2}(?:on[ ]|for[ ]|by[ ])?)"
        r"|\b[Pp]/?[Uu](?:[ ][A-Z][\w'’-]{1,20}){1,3}[ ]"
        r"|\A\s{0,9}[A-Z][A-Za-z:,/& -]{3,40}?[ ](?:-[ ])?(?=[\d/]{3,5}[ ]{0,3}(?:[\r\n]|w/|\Z))"
        r"|(?m:^)[ \t]{0,6}(?=[\d/]{3,5}[ ](?:\d{1,2}[ap]m?[ ]?[-–][ ]?\d{1,2}[ap]|(?:day|night|evening|noc|AM|PM)[ ]?(?:shift)?:?\b)))"
        rf"(?P<phi>{MONTH_DAY}){NO_MEASURE}(?!-\d)"
    )

    def valid(self, match: re.Match[str]) -> bool:
        return not is_measured(match.string, match.start("phi"))
