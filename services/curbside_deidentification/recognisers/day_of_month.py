"""Days of a month that the text does not name: "on the 3rd". 45 CFR 164.514(b)(2)(i)(C)."""

from __future__ import annotations

import re
from typing import Final

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser
from curbside_deidentification.recognisers.writing.dates import DAY_WORD

_DAY: Final = r"(?:[12]?\d|3[01])(?:st|nd|rd|th)"
_LATE: Final = r"(?:1[3-9]|2\d|3[01])(?:st|nd|rd|th)"  # of ribs and vertebrae there are twelve
_MONTH: Final = r"(?:this|last|next|the|that)\s(?:(?:same|current|previous|following|coming)\s)?month"
_PLACING: Final = (
    r"on|date:|appointment:|DOB:?|LMP:?|labs\sfrom|expires?|Rx|follow[- ]?up|MRI|CT|X-?ray|scan|was|by|until|"
    r"till|since|dated|around|between|as\sof|(?:due|scheduled|booked|set|appointment|appt|surgery|visit|"
    r"returns?|returned|back|again|seen|admitted|discharged|started|stopped|here|fell|week\sof|evening\sof|"
    r"morning\sof|night\sof|afternoon\sof)(?:\s(?:for|on|to))?"
)
# What may follow a day; a rib, a toe or a metatarsal may not.
_AFTER: Final = (
    r"(?=\s{0,2}(?:[.;:)|]|,(?!\s\d)|\Z)|\s{1,2}(?:at|when|while|s?he|they|we|I|the\spatient|pt|who|because|"
    r"but|"
    r"due|as|if|with(?:out)?|for|and\s(?!\d|the\s)|or\s(?!\d)|was|is|in\sthe\s(?:morning|afternoon|evening)|"
    r"to\sthe\s\d|through|until|per|however|via)\b)"
)
_COUNTED: Final = (
    r"(?!\s(?:\w{4,12}\s)?(?:weeks?|days?|hours?|minutes?|months?|years?|ribs?|nerve|grade|floor|percentile|"
    r"century|"
    r"edition|birthday|time|visit|dose|cycle|st(?:reet)?|ave(?:nue)?|gestation(?:al)?|trimester|chromosome|"
    r"position|nucleotide|codon|amino)\b)"
)


_PLACED: Final = re.compile(rf"\b(?:{_PLACING})\s\Z", re.IGNORECASE)
_MOVED: Final = re.compile(
    r"\b(?:moved|postponed|pushed|bumped|changed|delayed|rescheduled)\s[^.;\n]{0,40}?(?:to|until|till)\s\Z",
    re.IGNORECASE,
)
_GOES_ON: Final = re.compile(_AFTER, re.IGNORECASE)


class DayOfMonth(PatternRecogniser):
    """ "The 3rd" behind a word that places in time, or with "of last month" behind it; "the 23rd" wherever
    it counts no weeks."""

    category = Category.DATE
    score = 0.75
    pattern = re.compile(
        rf"\b(?P<phi>the\s(?:(?P<late>{_LATE}){_COUNTED}|{_DAY}|{DAY_WORD})"
        rf"(?:\s(?P<range>to|through|until|and)\s(?:the\s)?{_DAY})?(?P<month>\sof\s{_MONTH}\b)?)",
        re.IGNORECASE,
    )

    def valid(self, match: re.Match[str]) -> bool:
        if match["late"] or match["month"]:
            return True
        if not match["phi"][4].isdigit() or _GOES_ON.match(match.string, match.end()) is None:
            return False
        before = match.string[max(0, match.start() - 28) : match.start()]
        if _MOVED.search(match.string, max(0, match.start() - 60), match.start()):
            return True
        return _PLACED.search(before) is not None or (
            match["range"] is not None and before.casefold().endswith("from ")
        )
