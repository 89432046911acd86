"""Where a shop or a shelter stands: "the Mobile Walgreens", "CVS on Elm". 45 CFR 164.514(b)(2)(i)(B)."""

from __future__ import annotations

import re
from typing import Final

from curbside.phi import Category
from curbside_deidentification.domain.lexicon import GENERIC, Lexicon
from curbside_deidentification.domain.patterns import WordRecogniser
from curbside_deidentification.recognisers.writing.addresses import TOWN
from curbside_deidentification.recognisers.writing.places import CAP

# Chains that say nothing of a place; which of their shops it is does.
_CHAIN: Final = (
    r"CVS|Walgreens?|Rite[ -]?Aid|Wal-?[Mm]art|Costco|Kroger|Publix|Safeway|Target|Meijer|Duane[ ]Reade|"
    r"H-?E-?B|Sam['’]s[ ]Club|"
    r"McDonald['’]s|Burger[ ]King|Starbucks|YMCA|YWCA|Salvation[ ]Army|Goodwill|Greyhound|"
    r"Planet[ ]Fitness|Home[ ]Depot|Lowe['’]s|"
    r"WALGREENS|WALMART|COSTCO|KROGER"
)
_SHOP: Final = (
    r"(?i:pharmacy|drug[ ]?store|shelter|store|branch|church|gas[ ]station|nursing[ ]home|"
    r"group[ ]home|motel|laundromat)"
)


class Shop(WordRecogniser):
    """The town before a chain's name, or the street behind it."""

    category = Category.LOCATION
    score = 0.78
    pattern = re.compile(
        rf"\b(?i:the|at|in|our|their)[ ](?P<town>{TOWN})[ ](?:{_CHAIN})\b|"
        rf"\b(?:{_CHAIN}|{_SHOP})[ ]*(?i:on|off|near|@|in|at)[ ](?P<street>{CAP}(?:[ ]{CAP}){{0,2}})(?![\w-])"
    )

    def bounds(self, match: re.Match[str], lexicon: Lexicon) -> tuple[int, int] | None:
        group = "town" if match["town"] else "street"
        words = match[group].casefold().split()
        return None if all(word in GENERIC for word in words) or words[0] in _NONE else match.span(group)


_NONE: Final = frozenset("the his her their a an local nearest my our day days discharge admission".split())  # noqa: SIM905
