"""Hospitals by the letters that a region knows them by: "sent to WMC". 45 CFR 164.514(b)(2)(i)(B)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from curbside.phi import Category
from curbside_deidentification.domain.explained import explained
from curbside_deidentification.domain.lexicon import Lexicon, abbreviations
from curbside_deidentification.domain.spans import Span

_PATTERN = re.compile(
    r"(?<![\w-])(?:(?i:from|at|OSH|outside[ ]hospital)|"
    r"(?i:transferred|transfer|xfer(?:red)?|tx|sent|referred|returned|taken|brought|flown|admitted|presented|went|back|"
    r"transported)[ ](?:(?i:over|back|out)[ ])?(?i:to))[ ]\(?(?:the[ ])?"
    r"(?P<phi>[A-Z]{1,3}(?:MC|MH|GH|CC|RH))(?![\w/-])"
)


class HospitalAbbreviation:
    """Letters that end as those of a medical center, a memorial or a general hospital do, behind where
    somebody was or came from, that neither medicine nor the text itself knows for something else."""

    def find(self, text: str, lexicon: Lexicon) -> Iterator[Span]:
        told: frozenset[str] | None = None
        for match in _PATTERN.finditer(text):
            letters = match["phi"].casefold()
            if letters in abbreviations() or lexicon.is_word(letters):
                continue
            told = explained(text) if told is None else told
            if match["phi"] not in told:
                yield Span(*match.span("phi"), Category.FACILITY, 0.85, type(self).__name__)
