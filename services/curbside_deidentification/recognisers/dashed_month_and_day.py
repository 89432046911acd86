"""Month and day with a hyphen, behind a stay's beginning or end: "adm 11-3". 45 CFR 164.514(b)(2)(i)(C)."""

from __future__ import annotations

import re
from typing import Final

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser

_ENDS: Final = re.compile(
    r"\s{0,2}(?:[.,;:)\n]|\Z)|\s(?:per|when|while|after|before|due|at|for|with|w/|s?he|pt|and)\b"
)


class DashedMonthAndDay(PatternRecogniser):
    """Behind an appointment, too. Elsewhere "2-3" is a range, as is "about 10-15 minutes"."""

    category = Category.DATE
    score = 0.75
    pattern = re.compile(
        r"(?<![\w/-])(?:(?i:adm|admit(?:ted)?|d/c(?:'?d)?|dc'?d|disch(?:arged)?|DOA|DOS|DOI|LMP|EDD|appts?|"
        r"appointment|consent(?:ed)?|eval(?:uation)?|sched(?:uled)?(?:[ ]for)?|w(?:ee)?k[ ](?:of|ending)|"
        r"intake|consult|mtg|f/u|follow-?up|RTC|rtn|rescheduled[ ](?:to|for))|"
        r"(?P<nearly>(?i:out|off|removed|removal|placed|inserted|changed|started|stopped|due|next|abt|visit|seen|screen|surgery|procedure|about|around|approx|circa|on|by|until|since)\b|~))"
        r"[ :.]{1,2}(?:on[ ])?"
        r"(?P<phi>(?:0?[1-9]|1[0-2])-(?P<day>0?[1-9]|[12]\d|3[01]))"
        r"(?![\w/%-]|\.\d|\s?(?:days?|weeks?|wks?|months?|mos?|hours?|hrs?|L|mg|times|x)\b)"
    )

    def valid(self, match: re.Match[str]) -> bool:
        if match["nearly"] is None:
            return True
        day = int(match["day"])
        return day > 12 and day % 5 > 0 and _ENDS.match(match.string, match.end()) is not None
