"""Month and day in figures without a year, "3/15": what tells one from a fraction, a strength or a score."""

from __future__ import annotations

import re
from typing import Final

MONTH_DAY: Final = r"(?:0?[1-9]|1[0-2])/(?:0?[1-9]|[12]\d|3[01])(?![\w/%+]|\.\d)"
_PARTS: Final = re.compile(r"(\d{1,2})/(\d{1,2})")
# Of what scores and fractions are told: strength 4/5, pain 3/10, murmur 2/6, reflexes 2/4, Apgar 8/9.
_SCALES: Final = frozenset((2, 3, 4, 5, 6, 7, 8, 9, 10))
# What is measured, counted or done "n/m": behind the figures.
NO_MEASURE: Final = (
    r"(?!\s{0,2}-?\s?(?:strength|pain|motor|power|muscle|murmur|(?:holo|pan)?systolic|diastolic|SEM|scale|"
    r"positive|nodes?|lymph|cores?|points?|reflex(?:es)?|tab(?:let)?s?|pills?|caps?(?:ule)?s?|cups?|"
    r"inch(?:es)?|"
    r"miles?|hours?|hrs?|packs?|ppd|doses?|teaspoons?|tsp|tbsp|ounces?|oz|pints?|ampoules?|amps?|puffs?|"
    r"mg|mcg|mL|cc|cm|mm|kg|lbs?|L|mixture|ratio|recall|objects?|items?|words?|correct|weeks?|wks?|years?|"
    r"months?|mos?|days?|"
    r"visible|full|throughout|bilateral(?:ly)?|symmetric(?:al)?|equal|intensity|severity|quadrants?|"
    r"of\s(?:the|a|an|his|her|their|which|these|those|all|it|way|\d)|"
    r"x\s?\d|in\s(?:all|both|bilateral|the\s(?:right|left|upper|lower)|upper|lower|right|left|U/?E|L/?E|"
    r"B[UL]E)|"
    r"on\s(?:the\s)?(?:right|left|exposure|pain|VAS)|to\slight|daily|q\.?d|b\.?i\.?d|t\.?i\.?d|q\.?h\.?s|"
    r"p\.?r\.?n|p\.?o\b|every|twice|system|electrode|montage|O[DSU]\b|strands?|sutures?|needles?|trocars?|"
    r"screws?|coil|cracker|laceration|segments?|size)\b)"
)
# The same before them, in the clause.
_MEASURED: Final = re.compile(
    r"(?:\b(?:strength|power|motor|MMT|reflex(?:es)?|DTRs?|jerks?|pulses?|murmur|grade[ds]?|scale|"
    r"scor\w{1,3}|"
    r"pain|rate[ds]|VAS|NRS|vision|visual|acuity|snellen|pupils?|pressures?|ratio|(?:Bi|C)-?PAP|[IE]PAP|PEEP|"
    r"PSV|"
    r"vent|settings?|recall|apgars?|PHQ|GAD|MoCA|MMSE|SLUMS|GCS|EPDS|RASS|FLACC|CPOT|CIWA|COWS|CAGE|mini-?cog|Barthel|Katz|Lawton|Tinetti|MRC|Aldrete|"
    r"BPP|Epworth|MADRS|HAM-?[AD]|glasgow|NIHSS|Braden|Morse|Rankin|AUDIT|BIMS|"
    r"Gleason|biceps|triceps|patell\w{1,3}|achilles|brachioradialis|flex(?:ion|ors?)|exten(?:sion|sors?)|"
    r"(?:ab|ad)duct\w{2,3}|(?:dorsi|plantar)flexion|deltoids?|quad(?:riceps|s)?|hamstrings?|grip|BUN|"
    r"creatinine|"
    r"hgb|hct|H[/&]H|AST|ALT|PTT|WBC|platelets?|O[DSU]|VA|weeks|nodes|cores)\b|\d[ \t]?\Z)[^.;\n]{0,30}\Z",
    re.IGNORECASE,
)
# Words that place in time what stands behind them.
PLACING: Final = (
    r"on|between|dated?|since|until|till?|thru|through|by|before|after|around|about|circa|prior\sto|as\sof|"
    r"(?:scan|study|film|exam|note|labs?|culture|report|week|weekend|night|morning|evening|afternoon|day|"
    r"CT|MRI|X-?ray|CXR|echo)\sof|of\sthe|effective|beginning|starting|ending|expires?|due|"
    r"arriv(?:al|ed)|appt|appointment|f/?u|follow-?up|visit|seen|adm(?:it(?:ted)?|ission)?|disch(?:arged?)?|d/?c'?d|"
    r"DOS|DOA|DOE|collected|received|reported|resulted|drawn|signed|dictated|transcribed|typed|reviewed|"
    r"performed|done|placed|started|stopped|held|changed|removed|inserted|extubated|intubated|obtained|"
    r"scheduled(?:\sfor)?|(?:last|next)(?:\s(?:seen|dose|visit|appt|appointment|BM|HD|dialysis|void|"
    r"menses))?|"
    r"LMP|LNMP|EDC|EDD|EDB|DOI|DOL|DOV|LKW|onset|date|DOB|born|birthday|comparison|prior|compared\s(?:to|with)|again|returned|tomorrow|"
    r"today|"
    r"yesterday|expected|anticipated|transferred|readmitted|hospitali[sz]ed|presented|fell|injury|surgery|"
    r"filled|"
    r"refilled?|ordered|given|repeat(?:ed)?|recheck(?:ed)?|vaccinated|tested|deceased|passed|died|expired|"
    r"printed|"
    r"effective|resumed|increased|decreased|consent(?:s|ed)?|(?:re-?)?eval(?:uat(?:ion|ed))?|reassess(?:ed|ment)?|"
    r"screen(?:ing|ed|s)?|re-?sched(?:uled|'?d)?|sched(?:'?d)?|abt|w(?:ee)?k\s(?:of|ending)|w/e|intake|consult(?:ation|ed)?|mtg|"
    r"RTC|rtn|appts|interview|check-?up|confirmed|cancel(?:l?ed)?|no-?show(?:ed)?|recert(?:ification)?|orientation|"
    r"delivery|pick-?up|clinic|huddle|rounds?\son|set\sfor|booked(?:\sfor)?|planned(?:\sfor)?|slated(?:\sfor)?"
)


def is_fraction(figures: str) -> bool:
    """Whether "4/5" may be a fraction or a score: no more than its whole, which is one that scales have."""
    first, second = _numbers(figures)
    return first <= second and second in _SCALES and not _PARTS.match(figures)[2].startswith("0")  # type: ignore[index]


def is_measured(text: str, start: int) -> bool:
    """Whether what stands before `start` in the same clause is measured, so that figures are its value."""
    return _MEASURED.search(text, max(0, start - 40), start) is not None


def is_range(first: str, second: str) -> bool:
    """Whether two are days in a row, and not two scores of one scale or two fractions."""
    if not (is_fraction(first) and is_fraction(second)):
        return True
    (month, day), (other_month, other_day) = _numbers(first), _numbers(second)
    return month == other_month and day < other_day


def _numbers(figures: str) -> tuple[int, int]:
    parts = _PARTS.match(figures)
    assert parts is not None
    return int(parts[1]), int(parts[2])
