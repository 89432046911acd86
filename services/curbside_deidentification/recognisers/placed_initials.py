"""Two or three letters where hardly anything but somebody's initials stands. 45 CFR 164.514(b)(2)(i)(A)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from curbside.phi import Category
from curbside_deidentification.domain.lexicon import Lexicon
from curbside_deidentification.domain.name_words import words
from curbside_deidentification.domain.spans import Span
from curbside_deidentification.recognisers.writing.initials import DAY, DEGREE, TIME, is_known, is_listed

_END: Final = r"[ \t]{0,4}(?m:$)"
_KIN: Final = "|".join(sorted(words("kin")))
# Two letters: of whom something is told, who stand in a list of people, or before a day at a line's end.
_TWO: Final = re.compile(
    r"(?<![\w.'’/-])(?P<told>[A-Z]{2})(?=[ ](?i:reports|reported|states|stated|denies|denied|endorses|"
    rf"endorsed|feels|presents)\b|['’]s[ ](?:{_KIN})\b)"
    rf"|(?<=[a-z][,;] )(?P<dated>[A-Z]{{2}})(?=[ ](?:{DAY}|{TIME})(?!\d)[ \t\d:]{{0,8}}(?m:$))"
    r"|\b(?i:peers|siblings|sibs|kids|children|roommates|friends|brothers|sisters)[ ](?P<first>[A-Z]{2})"
    r"(?:,[ ]|[ ]and[ ])(?P<second>[A-Z]{2})(?!\w)"
)
# Small letters at a line's end behind a day, a time, a long number, a stroke or a tilde.
_SMALL: Final = re.compile(
    rf"(?:(?<![\d/.-])(?:{DAY}|{TIME})[ ,:;|-]{{1,3}}|(?<!\d)\d{{5,12}}[ /-]{{1,2}}|(?:\A|[ \t\r\n])[/~][ ]?)"
    r"(?P<small>[a-z]{3})(?=[.]?[ \t]{0,3}(?:[\r\n]|\Z))"
)
_DOER: Final = (
    r"sitter|transport|escort|scrub|circ|anes|relief|techs?|verif|verified[ ]rph|path[ ]rev|prelim|rec'd|"
    r"noted|marked|entered|monitor|qc|qa|2nd|counted[ ]by|(?:reviewed|discussed|seen|spoke)[ ](?:with|w/|c)|"
    r"d/w|s/w|inj[ ]by|performed[ ]by|read[ ]by|wit\.?|witness|copy[ ]given,|to[ ]release,|sig"
)
_ROLES: Final = r"pt|patient|subject|subj|staff|tech|typist|transcriber|nurse"
_THREE: Final = re.compile(
    rf"[(\[](?P<bracketed>[A-Z]{{3}}),[ ]{DEGREE}"
    rf"|(?m:^)[ \t]{{0,4}}(?:[-–—~][ ]?)?(?P<signed>[A-Z]{{3}}),[ ]{DEGREE}{_END}"
    rf"|(?i:\b(?:{_ROLES})[ ]init(?:ials)?:?[ _]{{1,9}})(?P<form>[A-Z]{{3}})(?!\w)"
    rf"|\[(?P<marked>[A-Z]{{3}})\]{_END}"
    rf"|(?<![\w/-])(?i:{_DOER}):?[ ]{{1,3}}(?P<doer>[A-Z]{{3}})"
    rf"(?=[.,;/)]|{_END}|[ ](?:{TIME}|{DAY})(?!\d)|[ ](?:for|until)[ ])"
    rf"|(?<=[a-z\d.,;] )(?:{TIME})[ ](?P<timed>[A-Z]{{3}}){_END}"
    rf"|(?:(?m:^)[ \t]{{0,4}}|(?<=[;.] ))(?P<entry>[A-Z]{{3}})(?=[ ](?:{DAY}){_END})"
)


class PlacedInitials:
    """Initials where staff put theirs: three letters are somebody's here even where a few know an
    abbreviation of them, two where they do something or belong to a list of people."""

    def find(self, text: str, lexicon: Lexicon) -> Iterator[Span]:
        for pattern, known in ((_TWO, is_known), (_SMALL, is_listed), (_THREE, is_known)):
            for match in pattern.finditer(text):
                for group, written in match.groupdict().items():
                    if written and not known(written, lexicon):
                        yield Span(*match.span(group), Category.NAME, 0.75, "PlacedInitials")
