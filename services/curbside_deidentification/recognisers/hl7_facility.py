"""Sending and receiving facilities of HL7 v2 messages. 45 CFR 164.514(b)(2)(i)(B)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser


class Hl7SendingFacility(PatternRecogniser):
    """MSH-4, of data type HD: a namespace and its identifier. HL7 v2.5.1, section 2.15.9."""

    category = Category.FACILITY
    score = 0.95
    pattern = re.compile(r"(?<!\w)MSH\|[^\w\s|]{3,5}\|[^|\r\n]{0,60}\|(?P<phi>[^|\r\n]{2,200})(?=\|)")


class Hl7ReceivingFacility(Hl7SendingFacility):
    """MSH-6, likewise."""

    pattern = re.compile(
        r"(?<!\w)MSH\|[^\w\s|]{3,5}\|[^|\r\n]{0,60}\|[^|\r\n]{0,200}\|[^|\r\n]{0,60}\|(?P<phi>[^|"
        r"\r\n]{2,200})(?=\|)"
    )


class Hl7Location(Hl7SendingFacility):
    """PV1-3 and PV1-6, of data type PL: the fourth component is the facility. HL7 v2.5.1, section 2.A.53."""

    pattern = re.compile(
        r"(?<![^\r\n ])PV1\|[^|\r\n]{0,8}\|[^|\r\n]{0,8}\|(?:[^|\r\n]{0,120}\|[^|\r\n]{0,8}\|[^|"
        r"\r\n]{0,40}\|)?"
        r"[^|^\r\n]{0,40}\^[^|^\r\n]{0,40}\^[^|^\r\n]{0,40}\^(?P<phi>[^|^\r\n]{2,80})"
    )
