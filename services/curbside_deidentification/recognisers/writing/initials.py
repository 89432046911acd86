"""Which letters may be somebody's initials, and what is a word, an abbreviation or a unit instead."""

from __future__ import annotations

import re
from typing import Final

from curbside_deidentification.domain.lexicon import Lexicon, abbreviations
from curbside_deidentification.domain.name_words import NEVER_NAME, words

# What is never somebody's initials: words beside names, orders, methods.
THINGS: Final = (
    words("abbreviations") | words("no_initials") | words("no_person") | words("orders") | NEVER_NAME
)
# Where somebody's initials are expected, these are a service, a trade or a degree instead.
TRADES: Final = words("trades_in_short")
# And these a test, a unit, a mark or a plain word, unless they stand beside somebody's.
NO_INITIALS: Final = TRADES | words("never_initials") | words("orders")
# A day, or a time of day, as logs write them.
DAY: Final = (
    r"(?:0?[1-9]|1[0-2])[-/.](?:0?[1-9]|[12]\d|3[01])(?:[-/.]\d{2,4})?|\d{4}-\d\d-\d\d|"
    r"\d{1,2}[- ]?[A-Za-z]{3,9}[- ,]{1,2}\d{2,4}|"
    r"[A-Z][a-z]{2,8}\.?[ ]\d{1,2}(?:,[ ]?\d{2,4})?|"
    r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]{0,6}\.?[ ](?:0?[1-9]|1[0-2])[-/.](?:0?[1-9]|[12]\d|3[01])"
)
# A day with its year.
FULL_DAY: Final = (
    r"\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}|\d{4}-\d\d-\d\d|\d{1,2}[- ]?[A-Za-z]{3,9}[- ,]{1,2}\d{4}|"
    r"[A-Z][a-z]{2,8}\.?[ ]\d{1,2},?[ ]\d{4}"
)
TIME: Final = (
    r"(?:[01]?\d|2[0-3]):[0-5]\d(?:[ ]?[AaPp]\.?[Mm]\.?)?|(?:[01]\d|2[0-3])[0-5]\d(?:[ ]?h(?:rs?)?)?"
)
LINE_END: Final = r"[ \t]{0,4}(?:[\r\n]|\Z)"
DEGREE: Final = (
    r"(?:MD|DO|RN|LPN|LVN|NP(?:-C)?|PA(?:-C)?|FNP|CNA|CRNA|RRT|RT|MA|CMA|CRC|CCRC|RPh|RPH|PharmD|PHARMD|"
    r"SLP|MSW|LCSW|BSN|M\.D\.|D\.O\.|R\.N\.|PCT|CST|MLS|MT|OTR(?:/L)?|DPT|MS[1-4]|PGY[- ]?\d|APRN|"
    r"ARNP|CRNP|CCRN|CNM|CNS|COTA|LMSW|LMFT|LMHC|LPTA|PTA|RDMS|RDCS|RVT|RHIT|ANP|AGNP|PMHNP|DNP|DPM|DDS|DMD|LISW|BCBA|CADC|"
    r"CCLS|MBBS|RDN|RD|LDN|CTRS|MDiv|PsyD)(?![\w])"
)


def letters_of(written: str) -> str:
    """The letters of "J.D.M.", "J D M" or "jdm" in small."""
    return re.sub(r"[^a-z]+", "", written.casefold())


def is_listed(written: str, lexicon: Lexicon) -> bool:
    """Whether `written` is a word, or an abbreviation of medicine, its trades and its papers."""
    bare = letters_of(written)
    return bare in THINGS or bare in abbreviations() or lexicon.is_word(bare)


def is_known(written: str, lexicon: Lexicon) -> bool:
    """Whether `written` is a word or one of the abbreviations that stand everywhere: for places where hardly
    anything but initials stands."""
    bare = letters_of(written)
    return bare in THINGS or lexicon.is_word(bare)
