"""Fiscal codes of Italy. 45 CFR 164.514(b)(2)(i)(R)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser


class ItalianFiscalCode(PatternRecogniser):
    """16 characters made of name, date and place of birth.

    Decreto ministeriale 23 December 1976, n. 13813.
    """

    category = Category.OTHER_ID
    score = 0.95
    pattern = re.compile(r"(?<!\w)[A-Z]{6}\d{2}[A-EHLMPRST]\d{2}[A-Z]\d{3}[A-Z](?!\w)", re.IGNORECASE)
