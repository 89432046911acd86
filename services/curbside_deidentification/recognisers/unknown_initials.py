"""Capitals that no vocabulary knows, where somebody's initials stand. 45 CFR 164.514(b)(2)(i)(A)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from curbside.phi import Category
from curbside_deidentification.domain.lexicon import Lexicon
from curbside_deidentification.domain.spans import Span
from curbside_deidentification.recognisers.writing.initials import DAY, DEGREE, TIME, is_listed, spells_out

_TOKEN: Final = re.compile(
    r"(?:(?<![\w.'’-])|(?<=--)|(?<=(?<![\w-])[x-]))(?:(?P<tight>[A-Z]{3})|(?P<dotted>(?:[A-Z]\.){2,3})|"
    r"(?P<spaced>[A-Z][ ][A-Z][ ][A-Z](?=[ \t.]{0,3}(?:[\r\n]|\Z))))(?![\w’-]|'(?!s))"
)
# Who did it stands behind these, and the acts that make them so.
_DOER: Final = (
    r"by|per|w/|d/w|s/w|c/w|cc|mt|tech|techs?|scrub|circ|circulator|anes|anesth|rn|rph|rt|sitter|transport|escort|"
    r"relief|relieved|prelim|preliminary|final|read|over-?read|signed|sig|sign|rvw'?d|rev|reviewed|review|path|rev(?:iew)?|"
    r"verif|verified|noted|marked|2nd|second|1st|init|initials|inits?|ask|told|tell|notified|called|paged|phoned|drawn|coll|"
    r"collected|rec'?d|received|name|proofed|edited|ed|qa|qc|typed|tr|trans|counted|count|entered|monitor|witness|wit|given|corrected|"
    r"(?:discussed|reviewed|seen|spoke|spoken|confirmed|verified|agreed|checked|counted|signed|"
    r"examined|rounded|staffed)[ ](?:with|c|to)|"
    r"(?:called|reported|phoned|tel|given|handoff|report|faxed|sent|turned[ ]over|care)[ ]to|"
    r"pt|pts|patient|client|subject|subj|participant|proband|then|until|by[ ]tech|care"
)
_BEFORE: Final = re.compile(
    rf"(?P<doer>(?<![\w/-])(?:{_DOER})[:#.]?[ ]{{1,3}}|(?:w/|d/w|/|x)[ ]?)$"
    rf"|(?P<time>(?<![\d/.-])(?:{TIME}|{DAY})[ ]?[-,:|/@]?[ ]{{0,2}})$"
    r"|(?P<many>(?<![\w])(?:[A-Z]{3}|(?:[A-Z]\.){2,3})(?:[ ]?[/+&>=|-]+[ ]?|,[ ]|[ ](?:and|AND|for|FOR|to|TO|or)[ ]))$"
    r"|(?P<mark>(?:[-–—~>|=+]|->|[,;:.!?)\]%]|[ ]{2}|_{3,})[ \t]{0,3}|[(\[{][ ]?)$"
    r"|(?P<open>(?:\A|[\r\n])[ \t>*#•-]{0,6}(?:\d{1,2}[.)][ ])?)$"
    r"|(?P<word>[\w'’][ ])$"
)
_BEHIND: Final = re.compile(
    rf"(?P<end>[.,;)\]]{{0,2}}[ \t]{{0,4}}(?:[\r\n]|\Z))"
    rf"|(?P<time>[ ,;:/|-]{{1,3}}(?:at[ ]|@[ ]?|on[ ])?(?:{TIME}|{DAY})(?![\d]))"
    rf"|(?P<degree>[ ,]{{1,2}}{DEGREE})"
    rf"|(?P<sex>[ ,/]{{1,3}}\d{{1,3}}[ ]?(?:[MFmf]\b|y|Y)|[ ](?i:is)[ ](?i:an?)[ ]\d)"
    r"|(?P<joint>[ ]?[/+&>=|][ ]?[A-Z])"
    r"|(?P<mark>[)\]};,.:|](?=[ ]|\Z)|[ ]?[|=>][ ])"
    r"|(?P<acts>[ ](?i:notified|aware|to[ ](?:follow|call|see|relieve|cover)|relieved|called|reports|states|denies|informed|paged|for[ ][A-Z]{3}\b))"
    r"|(?P<possessed>['’]s[ ])"
)


class UnknownInitials:
    """Three capitals, "J.D." or "J D M", that are no word and no abbreviation: behind or before a time, a
    degree, a dash, other initials or who is told of, where no noun follows."""

    def find(self, text: str, lexicon: Lexicon) -> Iterator[Span]:
        for match in _TOKEN.finditer(text):
            if not is_listed(match[0], lexicon) and _stands_for_somebody(text, match):
                yield Span(match.start(), match.end(), Category.NAME, 0.75, "UnknownInitials")


def _stands_for_somebody(text: str, match: re.Match[str]) -> bool:
    earlier = text[max(0, match.start() - 48) : match.start()]
    before, behind = _BEFORE.search(earlier), _BEHIND.match(text, match.end())
    first = before.lastgroup if before else None
    second = behind.lastgroup if behind else None
    if earlier.rstrip(" ")[-1:] in ("(", "[") and spells_out(earlier, match[0].casefold()):
        return False
    if match["spaced"]:
        return match["spaced"] not in ("A B C", "A B D")
    if match["dotted"]:
        return first in ("doer", "many", "time", "open") or second in ("degree", "sex", "acts")
    if first == "time":
        return True
    if second in ("time", "degree", "sex", "acts", "joint", "possessed"):
        return first is not None
    return first in ("doer", "many", "mark", "open") and second is not None or (first == "word" and second == "end")
