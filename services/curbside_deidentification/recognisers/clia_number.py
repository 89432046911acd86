"""Certificate numbers of laboratories. 45 CFR 164.514(b)(2)(i)(K)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser


class CliaNumber(PatternRecogniser):
    """Ten characters, the third a D. CMS, "CLIA Certificate Number", 42 CFR 493; it names the laboratory."""

    category = Category.LICENSE
    score = 0.85
    pattern = re.compile(r"(?<![A-Za-z0-9])\d\dD\d{7}(?![A-Za-z0-9])")
