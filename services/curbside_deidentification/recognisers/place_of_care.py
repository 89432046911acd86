"""Places behind "at", "visited", "transferred to". 45 CFR 164.514(b)(2)(i)(B)."""

from __future__ import annotations

import re
from typing import ClassVar, Final

from curbside.phi import Category
from curbside_deidentification.domain.lexicon import GENERIC, Lexicon
from curbside_deidentification.domain.patterns import WordRecogniser
from curbside_deidentification.recognisers.writing.places import CAP

_CARE_VERB: Final = (
    r"(?i:seen|treated|admitted|followed|evaluated|hospitali[sz]ed|diagnosed|presented|"
    r"transferred|referred|discharged|examined|operated|managed|visited|attended|received|"
    r"performed|done|scan|imaging|MRI|CT|study|biopsy|surgery|procedure|care|visit|"
    r"check-?up|appointment|employed|works|working|lives|living|resides|residing|from|"
    r"born|stay|stayed|ED|ER|clinic|follow-?up|last|recently|currently|previously|"
    r"initially|again|here|up|travel(?:s|l?ed|l?ing)?|flew|moved|returned|based|located|"
    r"headquartered|vacation|trip|go|goes|going|went|taken|brought|sent|driven|flown|airlifted|were)"
)
# Capitalised words behind "at" and the like: a place unless every one of them is a plain word.
_PLACE: Final = (
    rf"(?:(?:the|our|a)\s+)?(?P<phi>(?:(?:St|Mt|Ft)\.\s)?{CAP}(?:[ ](?:(?:of|and|at|"
    rf"&)[ ]){{0,1}}{CAP}){{0,4}})"
)


class PlaceOfCare(WordRecogniser):
    """Where the patient was: capitalised words behind "at" and "near"."""

    category = Category.FACILITY
    score = 0.7
    abbreviations: ClassVar[bool] = True
    pattern = re.compile(
        rf"\b(?i:at|near|outside(?![ ](?i:records?|films?|images?|imaging|studies|study|labs?|"
        rf"hospital|facility)\b)|visited|visits|attends|attended)\s+{_PLACE}"
    )

    def bounds(self, match: re.Match[str], lexicon: Lexicon) -> tuple[int, int] | None:
        named = _names_a_place(match["phi"], lexicon, abbreviations=self.abbreviations)
        return match.span("phi") if named else None


class PlaceOfTransfer(PlaceOfCare):
    """Where the patient came from or went: the same behind "from", and behind "to" and "in" with a verb."""

    abbreviations = False
    pattern = re.compile(
        rf"\b(?:{_CARE_VERB}\s+(?:(?i:over|out|back|down|by\s+\w+)\s+)?(?:to|in|from|with|by)|"
        rf"(?i:from)|(?i:lives|resides|living|residing)\s+(?:in|near))\s+{_PLACE}"
    )


class LabelledPlace(PlaceOfCare):
    """The same behind a label; "Location: left breast" has no word that is not in the vocabulary."""

    abbreviations = False
    pattern = re.compile(
        rf"\b(?i:where|location|city|town|hometown|birthplace|place\sof\sbirth)[ ]?:\s{{0,3}}{_PLACE}"
    )


def _names_a_place(phrase: str, lexicon: Lexicon, *, abbreviations: bool) -> bool:
    """Whether a word of `phrase` is in no vocabulary; an abbreviation ("UCSF") says so only behind "at"."""
    words = [word for word in re.findall(r"[^\W\d_]+(?:['’-][^\W\d_]+)*", phrase) if len(word) > 1]
    unknown = [word for word in words if not lexicon.is_word(word) and word.casefold() not in GENERIC]
    if not abbreviations or (len(words) == 1 and len(words[0]) < 3):
        unknown = [word for word in unknown if not word.isupper()]
    return bool(unknown)
