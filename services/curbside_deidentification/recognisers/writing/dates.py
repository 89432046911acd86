"""How dates and high ages are written."""

from __future__ import annotations

from typing import Final

MONTH: Final = (
    r"(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sept?(?:ember)?|"
    r"Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)"
)
WEEKDAY: Final = r"(?:(?:Mon|Tues?|Wed(?:nes)?|Thu(?:rs?)?|Fri|Sat(?:ur)?|Sun)(?:day)?[.,]?\s+(?:the\s+)?)?"
YEAR: Final = r"(?:(?:19|20)\d\d|['’]\d\d)"
DAY: Final = r"(?:0?[1-9]|[12]\d|3[01])(?:\s?(?:st|nd|rd|th))?"
UNITS: Final = "first|second|third|fourth|fifth|sixth|seventh|eighth|ninth"
DAY_WORD: Final = (
    rf"(?:{UNITS}|tenth|eleventh|twelfth|thirteenth|fourteenth|fifteenth|sixteenth|seventeenth|eighteenth|"
    rf"nineteenth|twentieth|thirtieth|twenty[- ](?:{UNITS})|thirty[- ]first)"
)
TIME: Final = r"(?:[T ]\d{1,2}:\d\d(?::\d\d(?:\.\d{1,6})?)?(?:\s?[AaPp]\.?[Mm]\.?)?(?:Z|[+-]\d\d:?\d\d)?)?"
NINETIES: Final = r"(?:9\d|1[0-2]\d)"
NINETY_WORDS: Final = (
    r"(?:ninety|one hundred|a hundred)(?:[- ](?:and[- ])?(?:one|two|three|four|five|six|"
    r"seven|eight|nine|ten))?"
)
