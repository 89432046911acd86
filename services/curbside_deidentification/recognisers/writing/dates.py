"""How dates with letters in them, years, times of day and high ages are written."""

from __future__ import annotations

from typing import Final

from curbside_deidentification.recognisers.writing.alternatives import by_initial

MONTH: Final = by_initial(
    r"Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sept?(?:ember)?|"
    r"Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?"
)
WEEKDAY_NAME: Final = rf"{by_initial(r'Mon|Tues?|Wed(?:nes)?|Thu(?:rs?)?|Fri|Sat(?:ur)?|Sun')}(?:day)?"
WEEKDAY: Final = rf"(?:{WEEKDAY_NAME}[.,]{{0,2}}\s{{1,2}}(?:the\s)?)?"
YEAR: Final = r"(?:(?:19|20)\d\d|['’]\d\d)"
DAY: Final = r"(?:0?[1-9]|[12]\d|3[01])(?:\s?(?:st|nd|rd|th)\b)?"
UNITS: Final = "first|second|third|fourth|fifth|sixth|seventh|eighth|ninth"
DAY_WORD: Final = by_initial(
    rf"{UNITS}|tenth|eleventh|twelfth|thirteenth|fourteenth|fifteenth|sixteenth|seventeenth|eighteenth|"
    rf"nineteenth|twentieth|thirtieth|twenty[- ](?:{UNITS})|thirty[- ]first"
)
_ONES: Final = "one|two|three|four|five|six|seven|eight|nine"
_TEENS: Final = (
    "ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen|eighteen|nineteen"  # as a year's last two
)
_TENS: Final = rf"(?:twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety)(?:[- ](?:{_ONES}))?"
# "nineteen forty-two", "twenty oh-seven", "nineteen hundred", "two thousand and seven".
YEAR_WORDS: Final = (
    rf"(?:(?:nineteen|twenty)[- ](?:hundred|(?:oh|aught)[- ](?:{_ONES})|{_TENS}|{_TEENS})|"
    rf"two\sthousand(?:\s(?:and\s)?(?:{_TEENS}|{_TENS}|{_ONES}))?)\b"
)
TIME: Final = r"(?:[T ]\d{1,2}:\d\d(?::\d\d(?:\.\d{1,6})?)?(?:\s?[AaPp]\.?[Mm]\.?)?(?:Z|[+-]\d\d:?\d\d)?)?"
NINETIES: Final = r"(?:9\d|1[0-2]\d)"
# As a scanner reads them: the letter O for a nought.
SCANNED_NINETIES: Final = r"(?:9[\dO]|1[0-2O][\dO])"
NINETY_WORDS: Final = (
    rf"(?:ninety(?:{_ONES})|"
    rf"(?:ninety|(?:one|a)[- ]hundred)(?:[- ](?:and[- ])?(?:{_ONES}|ten|eleven|twelve))?)"
    r"(?![- ]?(?:\w+[- ])?"
    r"(?:percent|per\scent|%))"
)
# A month, a day and a year in figures, whose digits a scanner or a form's boxes may set apart.
SPACED_MONTH: Final = r"(?:0[ ]?[1-9]|1[ ]?[0-2]|[1-9])"
SPACED_DAY: Final = r"(?:0[ ]?[1-9]|[12][ ]?\d|3[ ]?[01]|[1-9])"
SPACED_YEAR: Final = r"(?:1[ ]?9|2[ ]?0)[ ]?\d[ ]?\d(?!\d)"
