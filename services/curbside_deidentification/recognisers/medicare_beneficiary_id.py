"""Medicare beneficiary identifiers by their form. 45 CFR 164.514(b)(2)(i)(I)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser


class MedicareBeneficiaryId(PatternRecogniser):
    """Medicare Beneficiary Identifier, 11 characters. CMS, "Understanding the MBI format", 2024."""

    category = Category.HEALTH_PLAN
    pattern = re.compile(
        r"\b[1-9][AC-HJKMNP-RT-Y][AC-HJKMNP-RT-Y0-9]\d-?[AC-HJKMNP-RT-Y][AC-HJKMNP-RT-Y0-9]\d-?[AC-HJKMNP-RT-Y]{2}\d{2}\b"
    )
