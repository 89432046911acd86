"""Addresses of military and diplomatic post. 45 CFR 164.514(b)(2)(i)(B)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser


class MilitaryAddress(PatternRecogniser):
    """PSC, unit or ship, box, then APO, FPO or DPO with AA, AE or AP and ZIP.

    USPS Publication 28, section 225.
    """

    category = Category.LOCATION
    score = 0.96
    pattern = re.compile(
        r"(?<!\w)(?P<phi>(?:(?:PSC|CMR|Unit|USNS|USNV|USCGC|USS)[ ][\w-]{1,20}(?:,?[ ]Box[ ]\d{1,6})?"
        r"[,\s]{1,3}[>?| \t]{0,12})?(?:APO|FPO|DPO),?[ ](?:AA|AE|AP)(?:[ ]\d{5}(?:-\d{4})?)?)(?!\w)",
        re.IGNORECASE,
    )
