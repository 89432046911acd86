"""Pagers and extensions: numbers inside a house. 45 CFR 164.514(b)(2)(i)(D)."""

from __future__ import annotations

import re
from typing import Final

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser
from curbside_deidentification.recognisers.writing.alternatives import by_initial

_LABEL: Final = by_initial(
    r"pager|pgr|bpr|beep|beeper|voice\s?mail(?:\sbox)?|mailbox|bleep|page(?:d|\sme)?(?=\s(?:at|on|to)\b|\s?[#:])|ext(?:ension)?|spectra\s?link|"
    r"vocera|ascom|voalte|(?-i:PIN)"
)
# What stands before the number: a label, or a credential with "#".
_LABELLED: Final = re.compile(
    rf"(?:\b{_LABEL}\b\.?\s{{0,2}}(?:\((?:MD|RN|on\scall|cell|office)\)\s?)?"
    r"(?:(?:numbers?|no|num|id|is|at|on|to)\b\.?\s{0,2}){0,2}[:#=(]{0,2}\s{0,2}\#?|"
    r"\b(?:MD|M\.D\.|DO|RN|NP|PA|PA-C|LPN|CNM),?\s?\#)\Z",
    re.IGNORECASE,
)
_PAGE: Final = re.compile(
    r"(?:(?<![\w.])(?:[pb]|[Pp]:\s?|[Pp]\.\s|[Pp][Gg][:#]\s?|pg\s|(?:page|Page|PAGE)\s)|(?<=[A-Z.,)]\s)[PB])\Z"
)
_X: Final = re.compile(r"(?<!\w)(?<!\d\s)[xX][ -]?\Z")
# "x4321" behind one of these is an extension; elsewhere it is how much a microscope enlarges.
_REACHED: Final = re.compile(
    r"(?:\b(?:at|call|phone|tel|office|dial|reach|contact|to|or|line|desk|lab)\b[ :,]{0,2}|[(,]\s?)"
    r"x[ -]?\Z",
    re.IGNORECASE,
)


class Pager(PatternRecogniser):
    """Three to seven digits, or four behind the one of their exchange, behind a word for a pager or an
    extension; "p12345" and "x4321" are tight. "p80" is a pulse."""

    category = Category.PHONE
    score = 0.9
    pattern = re.compile(
        r"(?<![\d/AC-OQ-WYZac-oq-wyz-])(?<!\d[.,])(?P<phi>\d{3,7}(?:-\d{4})?|\d-\d{4})(?![\w%-]|[.:/]\d|\s?(?:m[lg]|cc|hours|hrs)\b)"
    )

    def valid(self, match: re.Match[str]) -> bool:
        before, number = match.string[max(0, match.start() - 32) : match.start()], match["phi"]
        if _LABELLED.search(before) or (len(number) in (4, 5) and _PAGE.search(before)):
            return True
        if len(number) > 5 or not _X.search(before):
            return False
        return _REACHED.search(before) is not None or (len(number) > 3 and not number.endswith("00"))
