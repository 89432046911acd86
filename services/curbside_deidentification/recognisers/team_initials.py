"""Initials of several people in a row: "IDT: OFD MD, MNB RN", "GR -> BS 0508". 45 CFR 164.514(b)(2)(i)(A)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from curbside.phi import Category
from curbside_deidentification.domain.lexicon import Lexicon
from curbside_deidentification.domain.spans import Span
from curbside_deidentification.recognisers.writing.initials import (
    DAY,
    DEGREE,
    LINE_END,
    NO_INITIALS,
    TIME,
    TRADES,
)

_XX: Final = r"[A-Z]{2,3}"
# Each with a degree: one of them may be an abbreviation of anything.
_WITH_DEGREES: Final = re.compile(rf"(?<![\w/-]){_XX},?[ ]{DEGREE}(?:[,;/]?[ ]{{1,3}}{_XX},?[ ]{DEGREE})+")
_BEFORE_DEGREE: Final = re.compile(rf"(?P<one>{_XX})(?=,?[ ]{DEGREE})")
# A row of roles with initials behind each: "Sonographer PT   Nurse ED", "Signed: parent BTL  nurse VKM".
_ROLE: Final = (
    r"(?i:sonographer|technologist|technician|tech|nurse|reader|scribe|typist|phlebotomist|recorder|operator|"
    r"circulator|scrub|monitor|assistant|aide|fellow|attending|staff|interpreter|observer|parent|guardian|"
    r"principal|patient|client|resident|counselor|teacher|supervisor|manager|provider|physician|pharmacist|"
    r"witness|surgeon|therapist|preparer|prepared|approved|reviewed|dictated|typed|checked|RN|MD|2nd[ ]RN)"
)
_CELL: Final = rf"{_ROLE}[ ]?:?[ ]{{1,2}}{_XX}"
_ROW: Final = re.compile(
    rf"(?:(?m:^)|(?<=:)|[.] )[ \t]{{0,4}}{_CELL}(?:(?:[ ]{{2,9}}|[ ]?[|;,][ ]){_CELL})+"
    rf"(?={LINE_END}|[ ]{{2,}}|[ ](?:{DAY}))"
)
_BEHIND_ROLE: Final = re.compile(rf"{_ROLE}[ ]?:?[ ]{{1,2}}(?P<one>{_XX})(?![\w'’])")
# Who handed over to whom, and who did what is billed.
_HANDED: Final = re.compile(
    rf"(?m:^)[ \t]{{0,4}}(?P<one>{_XX})[ ]?(?:->|>|→)[ ]?(?P<two>{_XX})"
    rf"(?=[ ]{{1,3}}(?:{TIME}|{DAY})|{LINE_END})"
    rf"|(?m:^)[ \t]{{0,4}}(?P<doer>{_XX})/(?P<second>{_XX})(?=[ ]{{2,9}}\d{{5}}\b)"
    rf"|(?m:^)[ \t]{{0,4}}(?P<dictated>{_XX}):(?P<typed>{_XX})"
    rf"(?=[ ]{{2,9}}#?[A-Z]{{0,3}}\d{{4,12}}\b)"
    rf"|\b(?i:signatures?|initials|checks?|checked|verified|counts?|counted|witness(?:ed)?)[ :]{{1,3}}"
    rf"(?P<first>{_XX})[ ]?/[ ]?(?P<last>{_XX})(?![\w/'’])"
)
_DEGREES: Final = frozenset(("md", "do", "rn", "np", "pa", "ma"))


class TeamInitials:
    """Where two people stand in one form, an abbreviation of medicine is one of them, too; "PT/OT   97110"
    are services."""

    def find(self, text: str, lexicon: Lexicon) -> Iterator[Span]:
        for row, one in ((_WITH_DEGREES, _BEFORE_DEGREE), (_ROW, _BEHIND_ROLE)):
            for match in row.finditer(text):
                for person in one.finditer(text, match.start(), match.end()):
                    if person["one"].casefold() not in (TRADES if row is _WITH_DEGREES else _DEGREES):
                        yield _span(person, "one")
        for match in _HANDED.finditer(text):
            found = {group: written.casefold() for group, written in match.groupdict().items() if written}
            if TRADES.isdisjoint(found.values()) and not NO_INITIALS.issuperset(found.values()):
                for group in found:
                    yield _span(match, group)


def _span(match: re.Match[str], group: str) -> Span:
    return Span(*match.span(group), Category.NAME, 0.75, "TeamInitials")
