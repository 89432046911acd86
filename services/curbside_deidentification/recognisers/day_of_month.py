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
    r"on|date:|appointment:|was|by|until|till|since|dated|around|between|as\sof|(?:due|scheduled|booked|set|"
    r"appointment|appt|surgery|"
    r"visit|returns?|returned|back|again|seen|admitted|discharged|started|stopped|here|fell|week\sof|"
    r"evening\sof|"
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


class DayOfMonth(PatternRecogniser):
    """ "The 3rd" behind a word that places in time, or with "of last month" behind it; "the 23rd" wherever
    it counts no weeks."""

    category = Category.DATE
    score = 0.75
    pattern = re.compile(
        rf"\b(?:(?=the\s(?:{_DAY}|{DAY_WORD})\sof\s{_MONTH}\b)|(?=the\s{_LATE}{_COUNTED})|"
        rf"(?:{_PLACING})\s(?=the\s{_DAY}{_AFTER})|"
        rf"from\s(?=the\s{_DAY}\s(?:to|through|until)\s(?:the\s)?{_DAY}{_AFTER}))"
        rf"(?P<phi>the\s(?:{_DAY}|{DAY_WORD})(?:\s(?:to|through|until|"
        rf"and)\s(?:the\s)?{_DAY})?(?:\sof\s{_MONTH})?)",
        re.IGNORECASE,
    )
