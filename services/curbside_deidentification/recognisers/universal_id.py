"""Universally unique identifiers, and those of DICOM. 45 CFR 164.514(b)(2)(i)(R)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser


class UniversalId(PatternRecogniser):
    """RFC 9562: they name one record, message or device; and ISO 8824 object identifiers of thirty characters
    and more, which DICOM gives to studies. Shorter ones name systems and organisations; those of HL7's code
    systems and DICOM's classes are public."""

    category = Category.OTHER_ID
    score = 0.9
    pattern = re.compile(
        r"(?<![\w-])[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}(?![\w-])|"
        r"(?<![\w.])(?=[\d.]{30})(?!2\.16\.840\.1\.113883\.|1\.2\.840\.10008\.)[12](?:\.\d{1,39}){6,20}(?![\w.]\w)"
    )
