"""Towns behind a word that places somebody. 45 CFR 164.514(b)(2)(i)(B)."""

from __future__ import annotations

import re
from typing import Final

from curbside.phi import Category
from curbside_deidentification.domain.lexicon import GENERIC, Lexicon, town_key, town_states
from curbside_deidentification.domain.patterns import WordRecogniser
from curbside_deidentification.recognisers.writing.addresses import TOWN

# Of countries the rule says nothing, though towns are named after them.
_COUNTRIES: Final = frozenset(
    """
    andorra angola belgium bolivia brazil canada china cuba denmark egypt france germany gibraltar
    greece greenland grenada guernsey india iran ireland israel italy jamaica japan jordan lebanon malta
    mexico morocco norway panama peru poland russia spain sweden switzerland turkey england scotland
    wales europe africa asia
    """.split()  # noqa: SIM905
)
# Where a plain word with a capital is a town ("in Mobile", "to Normal last week"), and nothing that it
# describes.
_ENDS: Final = re.compile(
    r"[ ]{0,2}(?:[.,;)\r\n]|$)|[ ](?i:and|on|for|at|with|where|who|since|when|before|after|in|to|by|until|"
    r"as|but|over|during|again|all|once|every|each|he|she|last|this|visiting|working|staying|"
    r"today|now|yesterday|via|because|then|during|area)\b"
)
# What people do in towns, up to three words before the preposition.
_LIVED: Final = re.compile(
    r"\b(?i:lives?|lived|living|resid(?:es?|ed|ing)|born|raised|reared|grew[ ]up|works?|worked|working|"
    r"employed|"
    r"home|house|apartment|farm|family|visiting|visited|stay(?:s|ed|ing)|travel(?:l?ed|l?ing|s)|drove|"
    r"driven|flew|"
    r"arrived|moved|originally|native|vacation(?:ing)?|clinic|hospital|office|ave|st|street|rd|road|"
    r"driving|flying|riding|rode|ride|trip|"
    r"flight|divert(?:s|ed)?|commut(?:es?|ed|ing)|flown|bus|train|college|school|jail|prison|relocated|"
    r"terrace|way|lane|ln|drive|dr|blvd|hwy|cir|pkwy|court|ct|place|pl|trl|loop)\b\.?"
    r"(?:[ ][^\W\d_]{1,12}){0,3}[ ]$"
)


class PlacedTown(WordRecogniser):
    """ "in Eau Claire", "from Mobile", "a Reading resident": a capitalised name that is a town's.

    Many towns are plain words or people's names, so that the list alone proves nothing: such a name needs a
    preposition of place and the end of its phrase; in a text of capitals it stays.
    """

    category = Category.LOCATION
    score = 0.82  # over a name that nothing but its place in the sentence tells
    pattern = re.compile(
        rf"(?:\b(?P<by>(?i:in|from|near|to|around|outside|toward|towards|via|of))[ ](?:(?i:downtown|"
        rf"rural|nearby|"
        rf"greater)[ ])?(?=(?P<phi>{TOWN})(?![\w-]|[ ]?:))|"
        # Where a letter or a list places a colleague, at the end of a line: "J. Osgood, DDS, Concord".
        rf"\b(?:DDS|DMD|DVM|DPM|MD|DO|OD|NP|PA|M\.D\.),[ ](?=(?P<of>{TOWN})[ ]{{0,3}}(?m:$))|"
        rf"\b(?i:an?|the|our|their)[ ](?P<area>{TOWN})(?=[ ](?i:area|"
        r"resident|native|police|fire|ems|paramedics?|office|campus|location|branch)\b))"
    )

    def bounds(self, match: re.Match[str], lexicon: Lexicon) -> tuple[int, int] | None:
        group = "phi" if match["phi"] else "of" if match["of"] else "area"
        start, found = match.start(group), match[group]
        by = (match["by"] or "in").casefold()
        for end in (len(found), *(space.start() for space in reversed(list(re.finditer(r"[ ]", found))))):
            name = found[:end]
            if town_key(name) not in town_states() or name.casefold() in _COUNTRIES:
                continue
            words = name.split()
            if all(word.casefold() in GENERIC for word in words) or (by == "of" and len(words) == 1):
                continue
            if all(lexicon.is_word(word) or lexicon.is_given(word) for word in words):
                ended = group == "area" or _ENDS.match(match.string, start + end) is not None
                of_place = len(words) > 1 or by in ("in", "from", "near", "outside")
                lived = _LIVED.search(match.string, max(0, match.start() - 40), match.start()) is not None
                if not ended or not (lived or (of_place and (len(words) > 1 or not name.isupper()))):
                    return None
            return start, start + end
        return None
