"""Capitals that no vocabulary knows, where somebody's initials stand. 45 CFR 164.514(b)(2)(i)(A)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from curbside.phi import Category
from curbside_deidentification.domain.explained import explained, spells_out
from curbside_deidentification.domain.lexicon import Lexicon
from curbside_deidentification.domain.spans import Span
from curbside_deidentification.recognisers.writing.initials import DAY, DEGREE, TIME, is_known, is_listed

_TOKEN: Final = re.compile(
    r"(?:(?<![\w.'’-])|(?<=--)|(?<=(?<![\w-])[x-]))(?:(?P<tight>[A-Z]{3})|(?P<dotted>(?:[A-Z]\.){2,3})|"
    r"(?P<spaced>[A-Z][ ][A-Z][ ][A-Z](?=[ \t.]{0,3}(?:[\r\n]|\Z))))(?![\w’-]|'(?!s))"
)
# Who did it stands behind these, and the acts that make them so.
_DOER: Final = (
    r"by|per|w/|d/w|s/w|c/w|cc|mt|rn|rph|rt|relieved|prelim|preliminary|final|read|over-?read|signed|sig|sign|"
    r"rvw'?d|reviewed|review|path|rev|verif|verified|noted|marked|2nd|second|1st|ask|told|tell|notified|called|"
    r"paged|phoned|drawn|coll|collected|rec'?d|received|name|proofed|edited|ed|qa|qc|typed|tr|trans|counted|"
    r"count|entered|monitor|witness|wit|given|corrected|"
    r"(?:discussed|reviewed|seen|spoke|spoken|confirmed|verified|agreed|checked|counted|signed|"
    r"examined|rounded|staffed)[ ](?:with|c|to)|"
    r"(?:called|reported|phoned|tel|given|handoff|report|faxed|sent|turned[ ]over|care)[ ]to|"
    r"pts|then|until|peers?|with|kids?|from"
)
# Before these stands a person, whatever follows.
_PERSON: Final = (
    r"pt|patient|client|subject|subj|participant|proband|sitter|transport|escort|scrub|circ|circulator|anes|"
    r"anesth|relief|techs?|initials|inits?"
)
_BEFORE: Final = re.compile(
    rf"(?P<person>(?<![\w/-])(?:(?i:{_PERSON})[:#.]?[ ]{{1,3}}|(?i:{_DOER}):[ ]{{1,3}})[(]?)\Z"
    rf"|(?P<doer>(?<![\w/-])(?i:{_DOER})[:#.]?[ ]{{1,3}}|(?:w/|d/w|/|x)[ ]?)\Z"
    rf"|(?P<time>(?<![\d/.-])(?:{TIME}|{DAY})[ ]?[-,:|/@]?[ ]{{0,2}})\Z"
    r"|(?P<many>(?<![\w])(?:[A-Z]{3}|(?:[A-Z]\.){2,3})"
    r"(?:[ ]?[/+&>=|-]+[ ]?|,[ ]|[ ](?:and|AND|for|FOR|to|TO|or)[ ]))\Z"
    r"|(?P<mark>(?:[-–—~>|=+]|->|[,;:.!?)\]%]|[ ]{2}|_{3,})[ \t]{0,3}|[(\[{][ ]?)\Z"
    r"|(?P<open>(?:\A|[\r\n])[ \t>*#•-]{0,6}(?:\d{1,2}[.)][ ])?)\Z"
    r"|(?P<word>[\w'’][ ])\Z"
)
_BEHIND: Final = re.compile(
    rf"(?P<end>[.,;)\]]{{0,2}}[ \t]{{0,4}}(?:[\r\n]|\Z))"
    rf"|(?P<time>[ ,;:/|-]{{1,3}}(?:(?i:at|on)[ ]|@[ ]?)?(?:{TIME}|{DAY})(?![\d]))"
    rf"|(?P<degree>[ ,]{{1,2}}{DEGREE})"
    rf"|(?P<sex>[ ,/]{{1,3}}\d{{1,3}}[ ]?(?:[MFmf]\b|y|Y)|[ ](?i:is)[ ](?i:an?)[ ]\d)"
    r"|(?P<joint>(?:[ ]?[/+&>|][ ]?|[ ]=[ ]|=(?=[A-Z][a-z]))[A-Z])"
    r"|(?P<mark>[)\]};,.:|](?=[ ]|\Z)|[ ]?[|=>][ ])"
    r"|(?P<child>[ ]\(\d{1,2}[)y ])"
    r"|(?P<acts>[ ](?i:s/p|c/o|h/o|tolerated|attended|agrees|endorses|notified|aware|"
    r"to[ ](?:follow|call|see|relieve|cover)|relieved|called|reports|states|denies|informed|paged|"
    r"covering|covers|wrote|writes|says|said|asked|asks|told|wants|saw|spoke|talked|took|gave|drew|charted|dictated|typed|"
    r"updated|texted|phoned|emailed|co-?signed|verified|reviewed|witnessed|entered|resulted|approved|scanned|arrived|"
    r"here[ ](?:until|till|from)|off[ ]at|on[ ]call|initial[ ]read|final|days|nights|evenings)\b)"
    r"|(?P<other>[ ](?i:for|to|and)[ ][A-Z]{3}(?![\w-]))"
    r"|(?P<bracket>[ ][(])"
    r"|(?P<possessed>['’]s[ ])"
)
# Of those that stand beside a time, a degree or a word for a person.
SURE: Final = 0.8
_FIRST_OF_DOTTED: Final = frozenset({"doer", "person", "many", "time", "open"})
_CHILD: Final = re.compile(r"[ ]\(\d{1,2}[)y ]")


class UnknownInitials:
    """Three capitals, "J.D." or "J D M", that are no word and no abbreviation: behind or before a time, a
    degree, a dash, other initials or who is told of, where no noun follows."""

    def find(self, text: str, lexicon: Lexicon) -> Iterator[Span]:
        abbreviations: frozenset[str] | None = None
        for match in _TOKEN.finditer(text):
            child = match["dotted"] and _CHILD.match(text, match.end())
            listed = is_known if child else is_listed
            if listed(match[0], lexicon):
                continue
            first, second = _neighbours(text, match)
            if not _stands_for_somebody(text, match, first, second):
                continue
            if abbreviations is None:
                abbreviations = explained(text)
            if match[0] not in abbreviations:
                sure = first in ("time", "person") or second in ("time", "degree", "sex")
                score = SURE if sure else 0.75
                yield Span(match.start(), match.end(), Category.NAME, score, "UnknownInitials")


def _neighbours(text: str, match: re.Match[str]) -> tuple[str | None, str | None]:
    """What stands before and behind, by the names of the groups."""
    before = _BEFORE.search(text[max(0, match.start() - 48) : match.start()])
    behind = _BEHIND.match(text, match.end())
    return before.lastgroup if before else None, behind.lastgroup if behind else None


def _stands_for_somebody(text: str, match: re.Match[str], first: str | None, second: str | None) -> bool:
    earlier = text[max(0, match.start() - 48) : match.start()]
    if earlier.rstrip(" ")[-1:] in ("(", "[") and spells_out(earlier, match[0].casefold()):
        return False
    if match["spaced"]:
        return match["spaced"] not in ("A B C", "A B D")
    if match["dotted"]:
        return first in _FIRST_OF_DOTTED or second in ("degree", "sex", "acts", "child")
    if first in ("time", "person"):
        return True
    if first == "open" and second == "mark":
        return False  # a heading's abbreviation: "NCR, not related"
    if second in ("time", "degree", "sex", "acts", "joint", "other", "possessed"):
        return first is not None
    if second == "bracket":
        return first == "doer"
    if first == "word":
        return second == "end"
    return first is not None and second is not None
