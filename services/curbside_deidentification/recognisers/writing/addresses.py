"""How addresses are written around the world: Universal Postal Union, S42, and USPS Publication 28."""

from __future__ import annotations

from typing import Final

from curbside_deidentification.recognisers.writing.places import CAP, STATE, STATE_NAME

# A letter and what may follow it in a word of an address: "O'Connell", "St.", "Saint-Denis".
WORD: Final = r"(?:(?:St|Mt|Ft|[NSEW])\.|[^\W\d_][^\W\d_]{0,30}(?:[.'’/-]{1,2}[^\W\d_]{1,30}){0,4})"
CAPITALISED: Final = rf"(?=[^\W\d_a-zß-öø-ÿ]){WORD}"
# A house number, which some countries write before and some behind the street: "12", "12B", "12-14".
HOUSE: Final = r"\d{1,6}(?:[ -]\d{1,5})?[A-Za-z]?"
# From one part of an address to the next: a new line, which may be quoted ("> "), or a comma.
LINE_BREAK: Final = r"[ ]{0,3}(?:,[ ]{0,3})?[\r\n]{1,4}[>?| \t,]{0,12}"
COMMA: Final = r",[ ]{1,2}"
NEXT: Final = rf"(?:{LINE_BREAK}|{COMMA})"
# Within a building. USPS Publication 28, appendix C2.
UNIT: Final = r"(?:Suite|Ste|Apartment|Apt)\b\.?[ ]{0,2}[#]?\d{1,5}[A-Za-z]?\b"
POSTCODE: Final = (
    r"(?:(?:[A-Z]{1,2}-)?(?:\d{4}[ ][A-Z]{2}\b(?![ ]?:)|\d{3,5}(?:[ -]\d{2,4})?)|"
    r"[A-Z]\d[A-Z][ ]?\d[A-Z]\d|[A-Z]{1,2}\d[A-Z\d]?[ ]\d[A-Z]{2})"
)

# American addresses. USPS Publication 28, section 2: a street, a box or a route, a unit, a town, a state, a
# ZIP code.
ZIP: Final = r"\d{5}(?:-\d{4})?(?![\w-])"
_UNIT_NUMBER: Final = r"[ ]{0,2}(?:#[ ]?)?(?:\d{1,5}(?:-?[A-Za-z0-9]{1,3})?|[A-Z](?:-?\d{1,4})?)(?![\w-])"
# USPS Publication 28, appendix C2: units with a number, units without, floors.
US_UNIT: Final = (
    r"(?:(?:(?i:suite|ste|apartment|apt|apmt|unit|building|bldg|floor|fl|room|rm|lot|space|spc|spce|"
    r"trailer|trlr|"
    r"department|dept|hangar|hngr|pier|slip|stop|penthouse|ph|p\.h|no|box|bed|tower|wing|level|mailstop|"
    r"pmb)\b\.?"
    rf"{_UNIT_NUMBER})|\#{_UNIT_NUMBER}|\d{{1,2}}(?i:st|nd|rd|th)[ ](?i:floor|fl)\b\.?|"
    r"(?i:(?:basement|bsmt|front|frnt|lobby|lbby|lower|lowr|office|ofc|rear|side|upper|uppr|"
    r"penthouse)(?=[ ]?[,\r\n^])))"
)
# From one part to the next: a comma, a line, the carets of HL7, or in a text that lost its lines a space.
PART_BREAK: Final = (
    r"(?:[ ]{0,2}[,;][ ]{0,2}(?:[\r\n]{1,2}[>| \t]{0,8})?|[ \t]{0,3}[\r\n]{1,2}[>| \t]{0,20}|\^{1,3}|[ ]{1,3}"
    r"(?:[-–|/][ ]{1,2})?)"
)
# "Coeur d'Alene", "St. Louis", "Fond du Lac", "Truth or Consequences", "Winston-Salem".
TOWN: Final = (
    rf"(?:(?:St|Ste|Mt|Ft|Pt|ST|STE|MT|FT|PT)\.[ ])?{CAP}"
    rf"(?:[ ](?:(?:of|or|the|du|de|la|le|del|on|and)[ ]){{0,2}}(?:d['’])?{CAP}){{0,3}}"
)
_STATE_AND_ZIP: Final = (
    rf"(?:(?:[ ]{{0,2}},)?[ ]{{1,3}}|\^|[ ]?[\r\n]{{1,2}})(?:{STATE}|{STATE_NAME})\b\.?"
    rf"(?:(?:,?[ ]{{1,3}}|\^|[ ]?[\r\n]{{1,2}}){ZIP})?(?!\w)"
)
UNITS: Final = rf"(?:\.?{PART_BREAK}{US_UNIT}){{0,3}}"
# The town with its state; without one only behind a comma and where the sentence or the line then ends.
TOWN_STATE: Final = rf"(?:\.?{PART_BREAK}{TOWN}{_STATE_AND_ZIP})"
BARE_TOWN: Final = rf"(?:,[ ]{TOWN}(?=[ ]{{0,3}}(?:[.,;)\r\n]|$)))"
