"""Street addresses, with unit, town, state and ZIP where they follow. 45 CFR 164.514(b)(2)(i)(B)."""

from __future__ import annotations

import re
from typing import Final

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser
from curbside_deidentification.recognisers.writing.addresses import BARE_TOWN, TOWN_STATE, UNITS
from curbside_deidentification.recognisers.writing.places import CAP, DOUBTFUL_STREET, STREET

HOUSE_NUMBER: Final = r"(?<![\w./,-])(?:[NSEW]\d{1,5}[NSEW]?\d{0,5}|\d{1,6}(?:-\d{1,4})?[A-Z]?(?:[ ]1/2)?)"
_DIRECTION: Final = (
    r"(?:[NSEW]|[NS][EW]|[NSEW]\.|[NS]\.[ ]?[EW]\.|North|South|East|West|NORTH|SOUTH|EAST|WEST)"
)
# Words that follow a number where no street does: times, doses, ages, months, and what joins a sentence.
_NO_STREET: Final = (
    r"(?!(?i:am|pm|mg|mcg|ml|cc|cm|mm|kg|g|gm|meq|units?|tabs?|tablets?|caps?|capsules?|year|years|yo|y|"
    r"days?|"
    r"weeks?|months?|hours?|hrs?|minutes?|mins?|times?|x|by|to|for|per|with|in|at|on|and|or|was|is|has|"
    r"had|he|she|"
    r"patient|pt|the|a|his|her|jan|feb|mar|apr|may|jun|jul|aug|sept?|oct|nov|dec|january|february|march|"
    r"april|june|"
    r"july|august|september|october|november|december|slice|phase|view|views|lead|french|fr|gauge|vessel|"
    r"o['’]clock|percent|degrees?|patients?|view|mhz|hz|lb|lbs|pounds?|feet|ft|inch|inches)\b)"
)
_ABBREVIATED: Final = r"(?:St|Dr|Mt|Ft|Jr|Sr|ST|DR|MT|FT|JR|SR)\."
_WORD: Final = rf"(?:{_NO_STREET}(?:{_ABBREVIATED}|{_DIRECTION}|{CAP})|\d{{1,3}}(?i:st|nd|rd|th))"
# Numbered roads: "Highway 30", "County Road 12", "FM 1960"; USPS Publication 28, appendix F.
_NUMBERED: Final = (
    r"(?:(?i:(?:(?:state|county|u\.?s\.?|old|farm[ ]to[ ]market|ranch|township|forest|private|rural|"
    r"interstate)[ ])?(?:highway|hwy|route|rte|rt|road|rd))|(?P<abbreviated>CR|SR|FM|US|Interstate|I))"
    r"[ -]\d{1,4}[A-Z]?\b"
)
# Streets of a grid: "1200 W 300 N".
_GRID: Final = rf"{_DIRECTION}[ ]\d{{2,5}}[ ]{_DIRECTION}(?![\w'’])"
_PLACED: Final = re.compile(
    r"(?i:\b(?:at|address|addr|home|residence|resid\w{2,4}|lives?|lived|living|located|street|moved|on|of)\b"
    r"[^\w\r\n]{0,4}(?:line[ ]1[:\s]{0,3}|is[ ]|to[ ]|at[ ])?)$|[|^\r\n][ \t]{0,20}$"
)
# What no other thing than a street has in its name: a direction, an ordinal.
_STREETS_OWN: Final = re.compile(r"[ ](?:[NSEW]\.|[NS]\.?[EW]\.|\d{1,3}(?i:st|nd|rd|th))[ ]")
# In small letters behind a capital these end a street's name more often than anything else.
_PLAIN_ENOUGH: Final = frozenset("St Dr Ct Pl Ter Way Place Square Loop Ridge Run Row Path Close".split())  # noqa: SIM905


class StreetAddress(PatternRecogniser):
    """House number, street and suffix; unit, town, state and ZIP where they follow. USPS Publication 28.

    A suffix that is a plain word as well counts beside a unit, a town or a word that places somebody.
    """

    category = Category.LOCATION
    score = 0.95
    pattern = re.compile(
        rf"(?P<phi>{HOUSE_NUMBER}[ ]{{1,2}}(?:(?:{_DIRECTION}[ ])?(?:{_NUMBERED}|{_GRID})|"
        rf"(?:{_WORD}[ ]{{1,2}}){{1,6}}(?P<suffix>{STREET})\b(?![ ]?:)(?:\.(?=[,^\r\n]))?)"
        rf"(?:[ ]{_DIRECTION}(?![\w'’]))?"
        rf"(?P<beside>{UNITS}(?:{TOWN_STATE}|{BARE_TOWN})?))(?!\w)"
    )

    def valid(self, match: re.Match[str]) -> bool:
        suffix = match["suffix"] or ""
        doubtful = match["abbreviated"] or (suffix.upper() in DOUBTFUL_STREET and suffix not in _PLAIN_ENOUGH)
        if match["beside"] or not doubtful or _STREETS_OWN.search(match["phi"]):
            return True
        return _PLACED.search(match.string, max(0, match.start() - 40), match.start()) is not None
