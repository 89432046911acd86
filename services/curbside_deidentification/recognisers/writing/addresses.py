"""How addresses are written around the world: Universal Postal Union, S42, and USPS Publication 28."""

from __future__ import annotations

from typing import Final

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
    r"(?:(?:[A-Z]{1,2}-)?\d{3,5}(?:[ -]\d{2,4})?(?:[ ][A-Z]{2}\b)?|"
    r"[A-Z]\d[A-Z][ ]?\d[A-Z]\d|[A-Z]{1,2}\d[A-Z\d]?[ ]\d[A-Z]{2})"
)
