"""Numbers of donations, donors and grafts. 45 CFR 164.514(b)(2)(i)(R)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser


class DonationNumber(PatternRecogniser):
    """The donation identification number of blood and tissue (ISBT 128, 2.1: a facility's letter and four
    figures, the year, a number of six figures), and a donor's number behind its label: four letters and
    three figures with the OPTN."""

    category = Category.OTHER_ID
    score = 0.88
    pattern = re.compile(
        r"(?<![\w-])(?P<phi>[A-NP-Z]\d{4} ?\d{2} ?\d{6}(?: ?\d{2})?|"
        r"(?:(?<=\bUNOS )|(?<=\bUNOS# )|(?<=\bUNOS ID )|(?<=\bOPTN )|(?<=\bOPTN ID )|(?<=\b[Dd]onor )|"
        r"(?<=\b[Dd]onor ID )|"
        r"(?<=\b[Gg]raft )|(?<=\b[Uu]nit )|(?<=\bDONOR )|(?<=\bGRAFT )|"
        r"(?<=\bUNIT ))[A-Z]{3,4}\d{3,4})(?![\w-])"
    )
