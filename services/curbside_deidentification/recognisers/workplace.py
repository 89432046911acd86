"""Employers by what is done there and by their kind: "works for Brantworth". 45 CFR 164.514(b)(2)(i)(B)."""

from __future__ import annotations

import re
from typing import Final

from curbside.phi import Category
from curbside_deidentification.domain.lexicon import GENERIC, Lexicon
from curbside_deidentification.domain.name_words import NEVER_NAME, PEOPLES
from curbside_deidentification.domain.patterns import WordRecogniser
from curbside_deidentification.recognisers.writing.places import BEFORE, CAP

_WORKS: Final = (
    r"(?i:works|worked|working|work|job|employed|hired|fired|retired|laid[ ]off|let[ ]go|drives|drove|"
    r"foreman|cashier|employee|shift|letter|paperwork|clearance)[ ]"
    r"(?:(?:as[ ]an?[ ])?(?:[a-z-]{2,14}[ ]){0,2}?(?:at|for|by|from)|"
    r"(?:AS[ ]AN?[ ])?(?:[A-Z-]{2,14}[ ]){0,2}?(?:AT|FOR|BY|FROM))[ ]"
)
# Where things are made, stored or sold; a name in front that is no word says which.
_PREMISES: Final = (
    r"(?:ware[ ]?house|plant|mill|factory|cannery|foundry|refinery|sawmill|shipyard|brewery|bakery|smelter|"
    r"tannery|cafeteria|dealership|brickyard|steelworks|farm|orchard)s?"
)
# What firms of plain words end in.
_KIND: Final = (
    r"(?:Cleaners|Cleaning|Tools?|Works|Lofts?|Typing|Transcription|Manufacturing|Machining|Trucking|"
    r"Logistics|Freight|Foods|Farms|Roofing|Plumbing|Landscaping|Electric|Industries|Motors|Steel|Lumber|"
    r"Tree|Bus[ ]Lines?|Lines|Transit|Express|Die|Paving|Concrete|Glass|Paper|Plastics|Metals|Seafoods?|"
    r"Dairy|Meats|Transport(?:ation)?|Moving|Storage|Staffing|Security|Insurance|Realty|Builders|Contracting|"
    r"Painting|Tires?|Auto(?:motive|[ ]Body|[ ]Parts)?|Body[ ]Shop|Supply|Mills?|Rubber|Chemicals?|Energy|"
    r"Propane|Poultry|Packing|Technologies|Solutions|Systems|Credit[ ]Union|Airlines|Railroad|Casino|"
    r"Resort|Inn|"
    r"Grill|Diner|Caf[eé]|Market|Grocery|Nursery|Salon|Printing|Press|Daycare|Academy|Marine|Fabrication|"
    r"Tooling|"
    r"Distribution|Warehouse|Bakery|Brewing|Catering|Hardware|Furniture|Textiles|Construction)"
)
_FIRM: Final = r"(?:,?[ ](?:Services?|Inc|LLC|Ltd|Corp|Co)\b\.?)*"


class Workplace(WordRecogniser):
    """Behind whom somebody works for, words of which one is in no vocabulary, or of a firm's kind."""

    category = Category.FACILITY
    score = 0.78
    pattern = re.compile(
        rf"{BEFORE}{_WORKS}(?:(?:the|a|an)[ ])?(?P<phi>(?P<firm>{CAP}(?:[ ](?:(?:and|&)[ ])?{CAP}){{0,2}}?"
        rf"[ ](?:{_KIND}|{_KIND.upper()}){_FIRM})|{CAP}(?:[ ]{CAP}){{0,2}})(?![\w'’-])"
    )

    def bounds(self, match: re.Match[str], lexicon: Lexicon) -> tuple[int, int] | None:
        words = [word.casefold() for word in re.findall(CAP, match["phi"])]
        if words[0] in NEVER_NAME or words[0] in PEOPLES:
            return None
        if match["firm"]:
            return None if all(word in GENERIC for word in words[:-1]) else match.span("phi")
        return match.span("phi") if _says_which(match["phi"], lexicon) else None


class Premises(WordRecogniser):
    """A name in no vocabulary before a plant, a mill or a warehouse: "the Hollin warehouse"."""

    category = Category.FACILITY
    score = 0.78
    pattern = re.compile(
        rf"{BEFORE}(?!(?:The|This|That|Our|His|Her|Pt|Patient)[ ])"
        rf"(?P<phi>{CAP}(?:[ ]{CAP})?)[ ](?:{_PREMISES})(?![\w'’-])"
    )

    def bounds(self, match: re.Match[str], lexicon: Lexicon) -> tuple[int, int] | None:
        return match.span("phi") if _says_which(match["phi"], lexicon) else None


def _says_which(phrase: str, lexicon: Lexicon) -> bool:
    """Whether one of the words is in no vocabulary; an abbreviation ("UPS") is no evidence."""
    return any(
        len(word) > 2 and not word.isupper() and not lexicon.is_word(word) for word in re.findall(CAP, phrase)
    )
