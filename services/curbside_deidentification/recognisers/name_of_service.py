"""Who comes from a service or an office: "Small from Surgery paged". 45 CFR 164.514(b)(2)(i)(A)."""

from __future__ import annotations

import re
from typing import Final

from curbside.phi import Category
from curbside_deidentification.domain.lexicon import Lexicon
from curbside_deidentification.domain.name_words import NEVER_NAME
from curbside_deidentification.domain.patterns import WordRecogniser
from curbside_deidentification.recognisers.writing.deeds import is_deed

# What stands there as often and is nobody: "Results from Cardiology".
_THINGS: Final = re.compile(
    r"(?:results?|notes?|records?|reports?|letters?|calls?|input|recs|referrals?|consults?|transfers?|staff|"
    r"nurses?|someone|somebody|everyone|nobody|anyone|physicians?|doctors?|blood|patients?|team|film|images?)\Z"
)
# People are called, and come; of things that come from a service neither is said.
_CALLED: Final = re.compile(
    r",?[ ](?:was[ ]|is[ ]|has[ ]been[ ])?(?:paged|notified|consulted|aware|informed|here|"
    r"at[ ](?:the[ ])?bedside|on[ ](?:call|the[ ]way)|to[ ](?:see|follow|call|evaluate|come))\b"
)


class NameOfService(WordRecogniser):
    """A capital word that begins a sentence, is a name or no word, and is of somebody's office, or comes from
    a service and does what people do."""

    category = Category.NAME
    score = 0.8
    pattern = re.compile(
        r"(?:(?m:^)[ \t]{0,4}|(?<=[.!?;] ))(?P<phi>[A-Z][^\W\d_]{2,20})[ ](?:"
        r"(?:in|from|at|of)[ ](?:our|my|this|the[ ]front)[ ](?:own[ ])?(?:office|clinic|team|unit|department|"
        r"practice|desk|ward|staff|lab|pharmacy)\b"
        r"|from[ ](?:the[ ])?(?P<service>[A-Z][\w-]{1,20}(?:[ ][A-Z][\w-]{1,20}){0,2}))"
    )

    def bounds(self, match: re.Match[str], lexicon: Lexicon) -> tuple[int, int] | None:
        word = match["phi"].casefold()
        if _THINGS.match(word) or word in NEVER_NAME:
            return None
        done = _CALLED.match(match.string, match.end()) or is_deed(match.string, match.end())
        if match["service"] is not None and not done:
            return None
        known = word in lexicon.surnames or word in lexicon.forenames or not lexicon.is_word(word)
        return match.span("phi") if known else None
