"""Recognisers of dates and of ages of 90 and over.

45 CFR 164.514(b)(2)(i)(C): all elements of dates except the year, for dates directly related to
an individual, and all ages over 89. A bare year stays; so do a weekday, a season and a clock time without
a date.
"""

from __future__ import annotations

import re
from typing import Final

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser

_MONTH: Final = (
    r"(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sept?(?:ember)?|"
    r"Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)"
)
_WEEKDAY: Final = r"(?:(?:Mon|Tues?|Wed(?:nes)?|Thu(?:rs?)?|Fri|Sat(?:ur)?|Sun)(?:day)?[.,]?\s+(?:the\s+)?)?"
_YEAR: Final = r"(?:(?:19|20)\d\d|['’]\d\d)"
_DAY: Final = r"(?:0?[1-9]|[12]\d|3[01])(?:\s?(?:st|nd|rd|th))?"
_UNITS: Final = "first|second|third|fourth|fifth|sixth|seventh|eighth|ninth"
_DAY_WORD: Final = (
    rf"(?:{_UNITS}|tenth|eleventh|twelfth|thirteenth|fourteenth|fifteenth|sixteenth|seventeenth|eighteenth|"
    rf"nineteenth|twentieth|thirtieth|twenty[- ](?:{_UNITS})|thirty[- ]first)"
)
_TIME: Final = r"(?:[T ]\d{1,2}:\d\d(?::\d\d(?:\.\d{1,6})?)?(?:\s?[AaPp]\.?[Mm]\.?)?(?:Z|[+-]\d\d:?\d\d)?)?"


class NumericDate(PatternRecogniser):
    """Year first as in ISO 8601, or month or day first with a year; any of `/`, `-`, `.` between."""

    category = Category.DATE
    score = 0.93
    pattern = re.compile(
        r"(?<![\w./-])(?P<phi>"
        rf"(?P<y1>(?:19|20)\d\d)(?P<s1>[-/.])(?P<m1>\d{{1,2}})(?P=s1)(?P<d1>\d{{1,2}}){_TIME}|"
        rf"(?P<a>\d{{1,2}})(?P<s2>[-/.])(?P<b>\d{{1,2}})(?P=s2)(?P<y2>(?:19|20)\d\d|['’]?\d\d){_TIME}"
        r")(?![\w/]|-\d|\.\d)"
    )

    def valid(self, match: re.Match[str]) -> bool:
        if match["y1"]:
            return 1 <= int(match["m1"]) <= 12 and 1 <= int(match["d1"]) <= 31
        first, second = int(match["a"]), int(match["b"])
        if match["s2"] == "." and len(match["y2"]) < 4 and max(first, second) <= 12 and first < 4:
            return False  # "1.2.10" is a section or a version more often than a date
        return 1 <= min(first, second) <= 12 and 1 <= max(first, second) <= 31


class CompactDate(PatternRecogniser):
    """ISO 8601 basic format and the HL7 v2 time stamp: 20230412, 20230412143000."""

    category = Category.DATE
    score = 0.85
    pattern = re.compile(
        r"(?<![\w.-])(?P<phi>(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|"
        r"3[01])(?:[0-2]\d[0-5]\d(?:[0-5]\d)?)?)(?![\w-])"
    )


class MonthAndYear(PatternRecogniser):
    """Month and year as numbers: 04/2023."""

    category = Category.DATE
    pattern = re.compile(r"(?<![\w./-])(?P<phi>(?:0?[1-9]|1[0-2])[/-](?:19|20)\d\d)(?![\w/-])")


class MonthAndDay(PatternRecogniser):
    """Month and day without a year, behind a word that places in time.

    Without one, 5/5 is strength and 4/10 is pain; "from" is left out for the same reason.
    """

    category = Category.DATE
    score = 0.8
    pattern = re.compile(
        r"\b(?:on|dated?|since|until|till|thru|through|by|scan of|study of|CT of|MRI of|"
        r"exam of|of the)\s{1,2}"
        r"(?P<phi>(?:0?[1-9]|1[0-2])/(?:0?[1-9]|[12]\d|3[01]))(?![\w/%.-]|\s*(?:strength|pain|"
        r"motor|power|muscle|murmur|systolic|scale|positive|nodes|cores|points))",
        re.IGNORECASE,
    )


class WrittenDate(PatternRecogniser):
    """A month in letters with a day, a year or both, in either order: "12-Apr-2023", "April 12th, '23"."""

    category = Category.DATE
    score = 0.95
    pattern = re.compile(
        r"(?<![\w])(?P<phi>"
        rf"{_WEEKDAY}{_MONTH}\b\.?[\s-]{{0,2}}(?:the\s)?(?:{_DAY}|{_DAY_WORD})(?![\d/%]|\.\d|"
        rf"\s?(?:mg|mL|cm|mm)\b)(?:\s?(?:-|–|to|and|"
        rf"&)\s?{_DAY}(?![\d]))?(?:(?:,?[\s-]?\s?(?:of\s)?){_YEAR}\b)?{_TIME}|"
        rf"{_WEEKDAY}(?:{_DAY}|"
        rf"{_DAY_WORD})[\s-]{{0,2}}(?:(?:day\s)?of\s)?{_MONTH}(?![a-z])\.?(?:,?[\s-]?{_YEAR}\b|"
        rf"\d{{2,4}}\b|-\d\d\b)?{_TIME}|"
        rf"{_MONTH}\b\.?(?:,?\s(?:of\s)?|-|/)?{_YEAR}\b"
        r")",
        re.IGNORECASE,
    )

    def valid(self, match: re.Match[str]) -> bool:
        # "may 2 tablets" is no date, "May 2" is; "mar" and "sun" in lower case are other words.
        month = re.search(_MONTH, match[0], re.IGNORECASE)
        return (
            month is None or not month[0].islower() or month[0] not in ("may", "march", "mar", "dec", "sep")
        )


class MonthAlone(PatternRecogniser):
    """A month by itself is an element of a date. "May" and "March" need a word that makes them months."""

    category = Category.DATE
    score = 0.75
    pattern = re.compile(
        r"\b(?P<phi>January|February|April|June|July|August|September|October|November|December|"
        r"(?:(?<=in )|(?<=since )|(?<=of )|(?<=until )|(?<=last )|(?<=this )|(?<=next )|"
        r"(?<=early )|(?<=late )|(?<=mid-)|(?<=by ))"
        r"(?:May|March|Jan|Feb|Mar|Apr|Aug|Sept?|Oct|Nov|Dec))\b(?!-)"
    )


_NINETIES: Final = r"(?:9\d|1[0-2]\d)"
_NINETY_WORDS: Final = (
    r"(?:ninety|one hundred|a hundred)(?:[- ](?:and[- ])?(?:one|two|three|four|five|six|"
    r"seven|eight|nine|ten))?"
)


class HighAge(PatternRecogniser):
    """Ages of 90 and over; the number goes and "-year-old" stays, since younger ages may stay too."""

    category = Category.AGE
    score = 0.95
    pattern = re.compile(
        rf"(?<![\d./])(?P<phi>{_NINETIES}|{_NINETY_WORDS})(?=[\s-]?(?:years?|yrs?|"
        rf"y)\b[\s-]?(?:old|of age|o\b|/o)|[\s-]?(?:yo|y/o|y\.o\.?|y\.o|YO|yof|yom)\b|"
        rf"[\s-]?year|[\s-]?yr)",
        re.IGNORECASE,
    )


class LabelledHighAge(PatternRecogniser):
    """The same behind "age", "aged"."""

    category = Category.AGE
    score = 0.92
    pattern = re.compile(
        rf"\b(?:aged?|age of|at age|turned|is now)\s{{0,2}}[:=]?\s{{0,2}}(?P<phi>{_NINETIES}|"
        rf"{_NINETY_WORDS})\b(?!\d|[./]\d|%|\s?(?:mg|mm|cm|kg|%|days?|weeks?|months?|minutes?|"
        rf"hours?))",
        re.IGNORECASE,
    )


class AgeInApposition(PatternRecogniser):
    """ "The patient, 94, is …": an age set off by commas behind a person."""

    category = Category.AGE
    score = 0.85
    pattern = re.compile(
        rf"\b(?:patient|pt|man|woman|male|female|gentleman|lady|mother|father|husband|wife|[A-Z][a-z]+),\s"
        rf"(?:aged\s)?(?P<phi>{_NINETIES}),\s(?=[a-z])"
    )


DATES: Final[tuple[PatternRecogniser, ...]] = (
    NumericDate(),
    CompactDate(),
    MonthAndYear(),
    MonthAndDay(),
    WrittenDate(),
    MonthAlone(),
    HighAge(),
    LabelledHighAge(),
    AgeInApposition(),
)
