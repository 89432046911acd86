"""What somebody is called: "call her Pip", "whose family calls him Bo". 45 CFR 164.514(b)(2)(i)(A)."""

from __future__ import annotations

import re
from typing import Final

from curbside.phi import Category
from curbside_deidentification.domain.lexicon import Lexicon
from curbside_deidentification.domain.name_words import NEVER_NAME, phrases, words
from curbside_deidentification.domain.patterns import WordRecogniser

# Whom one calls by what they are ("call her Cardiologist"), and when: no names.
_NO_NAME: Final = (
    NEVER_NAME
    | words("kin")
    | words("staff")
    | frozenset(word for phrase in (*phrases("services"), *phrases("short_roles")) for word in phrase.split())
    | frozenset(
        """
        monday tuesday wednesday thursday friday saturday sunday today tomorrow tonight monthly weekly daily
        january february march april june july august september october november december
        back asap again first home work cell office stat now later if when once only immediately sometime
        early late between regarding after before until daughter son ambulance taxi transport security
        """.split()  # noqa: SIM905
    )
)


class CalledName(WordRecogniser):
    """A word with a capital that ends what is said, a plain word or a short name too: nicknames are both.

    Whoever is to be called on the telephone is told by when, or by their trade.
    """

    category = Category.NAME
    score = 0.85
    pattern = re.compile(
        r"(?:\b[Cc](?:all(?:s|ed|ing)?|ALL(?:S|ED|ING)?)[ ](?:me|him|her|them|ME|HIM|HER|THEM)|"
        r"\b(?i:goes[ ]by|answers[ ]to|nickname(?:d|:|[ ]is)|"
        r"(?:likes|prefers|asks|asked|wants)[ ]to[ ]be[ ]called))[ ](?P<open>[\"“‘']?)"
        r"(?P<phi>[A-Z][^\W\d_]{1,11}(?:[ -][A-Z][^\W\d_]{1,11})?)"
        r"(?=[\"”’')\]]|[ ]{0,2}(?:[.,;!?](?!\d)|[\r\n]|\Z)|"
        r"[ ](?:for[ ]short|at[ ]home|instead|as[ ]a|and|since|because)\b)"
    )

    def bounds(self, match: re.Match[str], lexicon: Lexicon) -> tuple[int, int] | None:
        called = match["phi"].casefold().replace("-", " ").split()
        if not match["open"] and (not _NO_NAME.isdisjoint(called) or _is_abbreviation(match["phi"], lexicon)):
            return None
        return match.span("phi")


def _is_abbreviation(called: str, lexicon: Lexicon) -> bool:
    return called.isupper() and lexicon.is_word(called) and called.casefold() not in lexicon.forenames
