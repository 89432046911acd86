"""What only people do: verbs behind a name that is the subject of its sentence.

"Hand cleared him", "Joy picked up the medicine", "Banks would resect", "Stone to see". Verbs that also say
what a disease, a drug or an organ does ("improved", "remains", "caused") are left out.
"""

from __future__ import annotations

import re
from typing import Final

from curbside_deidentification.domain.name_words import words

_BASE: Final = words("deeds")


def _forms(base: str) -> tuple[str, str, str]:
    """Third person, past and "-ing" of a regular verb."""
    if base.endswith("e"):
        return f"{base}s", f"{base}d", f"{base[:-1]}ing"
    if base.endswith("y") and base[-2] not in "aeou":
        return f"{base[:-1]}ies", f"{base[:-1]}ied", f"{base}ing"
    third = f"{base}es" if base.endswith(("s", "sh", "ch", "x")) else f"{base}s"
    if re.fullmatch(r"[a-z]{0,3}[^aeiou][aeiou][bdgmnprt]", base) and base not in _UNDOUBLED:
        return third, f"{base}{base[-1]}ed", f"{base}{base[-1]}ing"
    return third, f"{base}ed", f"{base}ing"


_UNDOUBLED: Final = frozenset(("visit", "enter", "order", "consider", "answer", "offer", "gather", "open"))
_REGULAR: Final = {form for base in _BASE for form in _forms(base)}
# Done to a drug or a device as often: only with their object behind them, "held the drain", and no "held".
_OFTEN_PASSIVE: Final = words("done_to_things")
_DONE: Final = _REGULAR | words("irregular_deeds")
_PASSIVE: Final = _DONE & (_OFTEN_PASSIVE | {form for base in _OFTEN_PASSIVE for form in _forms(base)})
_SAID: Final = "|".join(sorted(_DONE - _PASSIVE, key=len, reverse=True))
_SAID_OF: Final = "|".join(sorted(_PASSIVE, key=len, reverse=True))
_OBJECT: Final = (
    r"(?=\s(?:the|an?|his|her|him|them|me|us|my|it|that|this|our|their|pt|patient|on|by\sphone|back|up|down|"
    r"rounds|IV|traction|pressure|c-spine|hands|\d\dg|in\swith|out\sof|away|home|lunch|dinner|flowers)\b)"
)
_TO_DO: Final = "|".join(sorted(_BASE | words("irregular_bases"), key=len, reverse=True))
_ADVERB: Final = (
    r"(?:(?:then|also|just|now|again|later|already|still|kindly|both|all|himself|herself|never|"
    r"[a-z]{3,10}ly)\s)?"
)

DEED: Final = (
    rf",?\s{_ADVERB}(?:(?:{_SAID})(?![\w/-])|(?:{_SAID_OF}){_OBJECT}"
    rf"|(?:would|could|can|should|cannot|can't|won't|wouldn't|didn't|did\snot|doesn't|does\snot|"
    rf"will(?:\snot)?|may|might|"
    rf"agreed\sto|wants\sto|plans\sto|to|able\sto|going\sto|asking\sto|is\sto|"
    rf"was\sto)\s{_ADVERB}(?:{_TO_DO})(?![\w-])"
    r"|(?:(?:is|was|has\sbeen|were|are)\s)?(?:made\saware|informed|in\sagreement|in\sattendance|"
    r"not\savailable|unavailable|off\stoday|on\svacation|on\scall|covering|"
    r"(?:with|w/)\s(?:pt|patient|him|her|family)|scrubbed|willing|able\sand\swilling|"
    r"tearful|anxious\sabout|upset|grateful|worried|concerned|the\s(?:first|second|third|fourth|"
    r"fifth|youngest|oldest|"
    r"eldest|only)\s(?:of|child)|at\s(?:work|home|school|bs)|not\spresent|(?:now\s)?present\sfor|sitting\s(?:1:1|with|at|by|in)|"
    r"in\s(?:to\ssee|the\swaiting))(?!\w)"
    r"|left\s(?:around|for|before|when|to|him|her|them|us|home|work|early|town)\b"
    r"|(?:has|had|have)\s(?:seen|called|agreed|asked|reviewed|spoken|met|been\s(?:told|seen|"
    r"informed|notified|"
    r"following|living|seeing|taking|in\stouch)|come|left|gone|moved|signed|given|a\sbed|"
    r"no\s(?:phone|car|ride|concerns|"
    r"questions|complaints)|the\sfilms|CP|chest\spain|questions|concerns|poa)(?!\w))"
)

_DEED: Final = re.compile(DEED)


def is_deed(text: str, end: int) -> bool:
    """Whether what stands behind `end` is said of people only."""
    return _DEED.match(text, end) is not None
