"""Facilities, practices, pharmacies, employers and schools behind their label. 45 CFR 164.514(b)(2)(i)(B)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.lexicon import GENERIC, Lexicon
from curbside_deidentification.domain.patterns import WordRecogniser
from curbside_deidentification.recognisers.writing.facility_kinds import KINDS, MORE_KIND
from curbside_deidentification.recognisers.writing.facility_words import (
    CARE_WORDS,
    CONNECTORS,
    FUNCTION_WORDS,
)
from curbside_deidentification.recognisers.writing.places import (
    CAP,
    LABEL_END,
    NO_LABEL,
    NO_NEXT_LABEL,
    NOTHING,
)


class LabelledFacility(WordRecogniser):
    """Capitalised words behind "Facility:", "Preferred pharmacy:", "Employer:" and the like.

    The label vouches for them, plain words or not. "Pharmacy: Outpatient" names none.
    """

    category = Category.FACILITY
    score = 0.84
    pattern = re.compile(
        r"\b(?i:(?:(?:referring|receiving|sending|performing|transferring|treating|outside|home|"
        r"preferred|local|retail|"
        r"primary|service|dialysis|discharge|admitting|billing|visit|collection|patient['’]?s?|current|"
        r"name[ ]of)[ ])?"
        r"(?:facility|hospital|clinic|pharmacy|practice|organi[sz]ation|employer|nursing[ ]home|"
        r"dialysis[ ](?:unit|center)|snf|alf|ltac|ltc|nh|agency|home[ ]health(?:[ ]agency)?|hospice|"
        r"institution|"
        r"group[ ]home|DME(?:[ ](?:vendor|company|supplier))?|"
        r"(?:oxygen|o2|infusion|home[ ]care)[ ](?:company|vendor)|"
        r"shelter|work[ ]?place|place[ ]of[ ](?:employment|service)|(?:service|visit|encounter)[ ]location|"
        r"performing[ ]lab(?:oratory)?|(?:lab|laboratory)[ ]name|school[ ]name)(?:[ ](?:name|site))?)"
        rf"{LABEL_END}(?P<phi>{NO_LABEL}(?:(?:St|Mt|Ft|ST|MT|FT|Dr)\.[ ])?{CAP}(?:,?[ ](?:(?:of|and|the|"
        rf"at|for|&|AND|OF)[ ]){{0,2}}"
        rf"{NO_NEXT_LABEL}{CAP}){{0,6}})"
    )

    def bounds(self, match: re.Match[str], lexicon: Lexicon) -> tuple[int, int] | None:
        # What a comma follows may be another thing ("Delta Steel, Foreman"); the name is what is before.
        name = _ended(match["phi"].partition(",")[0])
        words = [word.casefold().strip(".") for word in re.split(r"[ /-]", name)]
        telling = [
            word for word in words if word not in GENERIC and word not in CARE_WORDS and word not in NOTHING
        ]
        if not telling or words[0] in NOTHING or words[0] in ("days", "day", "course", "stay"):
            return None
        return match.start("phi"), match.start("phi") + len(name)


def _ended(value: str) -> str:
    """`value` up to its last kind of place, or to the small word that a sentence goes on with."""
    kinds = [kind.end() for kind in KINDS.finditer(value) if kind["care"] and kind.start()]
    reached = 0
    for word in re.finditer(r"[^ ]+", value):
        bare = word[0].casefold().strip(".")
        if word.start() and bare in FUNCTION_WORDS and bare not in CONNECTORS and bare != "at":
            return value[:reached]
        if word.start() and kinds and word.start() > kinds[-1] and not MORE_KIND.match(value, kinds[-1]):
            return value[: kinds[-1]]
        reached = word.end()
    return value
