"""Houses and firms that somebody deals with: "liaison for Encompass". 45 CFR 164.514(b)(2)(i)(B)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from curbside.phi import Category
from curbside_deidentification.domain.lexicon import Lexicon
from curbside_deidentification.domain.name_words import NEVER_NAME, PEOPLES
from curbside_deidentification.domain.spans import Span
from curbside_deidentification.recognisers.writing.facility_words import OF_EVERY_HOUSE
from curbside_deidentification.recognisers.writing.initials import DEGREE
from curbside_deidentification.recognisers.writing.places import CAP

_NAME: Final = (
    r"(?P<the>(?i:the)[ ])?(?P<phi>(?:(?:St|Mt|Ft)\.[ ])?"
    rf"{CAP}(?:[ ](?:(?:of|at|and|&)[ ])?(?:the[ ])?{CAP}){{0,3}})"
)
_DONE: Final = r"(?:[ ](?i:is|was|were|has[ ]been|be))?(?:[ ](?i:already|now))?"
_DEALT: Final = re.compile(
    r"(?<![\w-])(?i:"
    # Who speaks for it, and what it offers.
    r"(?:liaison|representative|rep|intake|admissions|marketer|vendor|driver|technician|aide|caregiver|"
    r"sitter)"
    r"[ ](?:for|from|of|at|with)|"
    rf"(?:bed|spot|slot|placement|opening|chair){_DONE}"
    r"[ ](?:offered|available|held|open|accepted|ready|confirmed|found|secured)[ ](?:at|with|by)|"
    # How somebody, or something, gets there.
    r"(?:transport(?:ation)?|ride|pick-?up|ambulance|van|oxygen|equipment|meals|hospital[ ]bed|walker|"
    rf"wheelchair|commode|supplies){_DONE}"
    r"(?:[ ](?:booked|arranged|set[ ]up|scheduled|ordered|provided|delivered|confirmed))?"
    r"[ ](?:with|by|via|through|from)|"
    rf"(?:images?|imaging|films?|records?|chart|disc|CD|referral|orders?|packet|paperwork|clinicals){_DONE}"
    r"[ ](?:pushed|sent|transferred|uploaded|faxed|e-?faxed|forwarded|released)[ ](?:over[ ])?(?:to|from|by)|"
    rf"(?:accepted|declined|screened|evaluated|approved|reviewed|waitlisted|followed|served){_DONE}"
    r"[ ](?:at|by)[ ](?=(?:the[ ])?(?-i:[A-Z])\w+[ ](?-i:[A-Z]))"
    rf")[ ]{_NAME}"
)
# "Pine Crest declined", "also prefers Blue Mesa, where".
_ACTS: Final = re.compile(
    rf"(?:(?m:^)[ \t]{{0,4}}|(?<=[.;,] )){_NAME}"
    r"(?=[ ](?i:(?:has[ ]|have[ ])?(?:now[ ]|also[ ])?declined|has[ ](?:a|no)[ ](?:beds?|openings?)|"
    r"has[ ]accepted|(?:cannot|can|can't|unable[ ]to|will|will[ ]not|won't)[ ](?:take|accept)|no[ ]beds?|"
    r"(?:is[ ])?(?:on[ ]divert|on[ ]diversion|at[ ]capacity|full(?=[.,;]))|"
    r"offered[ ](?:a|the)[ ]bed|waitlisted|is[ ]full(?=[.,;])|is[ ]reviewing|will[ ]accept|"
    r"accepted[ ](?:the[ ])?(?:pt|patient|him|her))\b)"
)
# Words of every house, in the order of a hospital's name: "County General declined".
_GENERAL: Final = re.compile(
    r"\A[A-Z][\w.'-]+[ ](?:[A-Z][\w.'-]+[ ])?(?i:general|regional|memorial|community|university|baptist|"
    r"methodist|lutheran|presbyterian|children['’]s|medical[ ]center|hospital)\Z"
)
_PREFERRED: Final = re.compile(
    rf"\b(?i:prefers?|preferred|chose|chooses?|selected|requests?|toured|touring)[ ]{_NAME}"
    r"(?=,[ ](?i:where)\b|[ ](?i:for[ ](?:rehab|SNF|placement))\b)"
)
# The line below who signs, whatever its words: "Visiting Physicians Group".
_GROUP: Final = r"Group|Associates|Partners|Physicians|Specialists|Consultants|Practice"
_BELOW: Final = re.compile(
    rf"(?m:^)[^\r\n]{{3,60}}[ ,]{DEGREE}[^\r\n]{{0,20}}\r?\n[ \t]{{0,4}}"
    rf"(?P<phi>(?:{CAP}[ ](?:(?:of|and|&)[ ])?){{1,4}}(?:{_GROUP}|{_GROUP.upper()}))[ \t]{{0,4}}(?=[\r\n]|\Z)"
)
_COMMON: Final = OF_EVERY_HOUSE | NEVER_NAME | PEOPLES


class DealtWithFacility:
    """A capitalised name behind what a house offers, sends and takes over. Services and kinds of houses that
    every place has ("transport by EMS", "records sent to Cardiology") are none."""

    def find(self, text: str, lexicon: Lexicon) -> Iterator[Span]:
        for pattern in (_DEALT, _ACTS, _PREFERRED):
            for match in pattern.finditer(text):
                if _is_own(match, lexicon) or (pattern is _ACTS and _GENERAL.search(match["phi"])):
                    yield _span(match)
        for match in _BELOW.finditer(text):
            yield _span(match)


def _is_own(match: re.Match[str], lexicon: Lexicon) -> bool:
    """Whether the name says which one: not all of it is of a house's kind, nor an abbreviation. In capitals,
    where all words are alike, one is no word, or an article stands before it."""
    name = match["phi"]
    parts = [part.strip(".,'’") for part in re.split(r"[ /-]", name)]
    telling = [
        part for part in parts if part.casefold() not in _COMMON and not (len(part) < 5 and part.isupper())
    ]
    if not name.isupper():
        return bool(telling)
    return bool(telling) and (match["the"] is not None or not all(map(lexicon.is_word, telling)))


def _span(match: re.Match[str]) -> Span:
    return Span(*match.span("phi"), Category.FACILITY, 0.75, "DealtWithFacility")
