"""Street addresses. 45 CFR 164.514(b)(2)(i)(B)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser
from curbside_deidentification.recognisers.writing.places import CAP, STATE, STREET


class StreetAddress(PatternRecogniser):
    """House number, street and suffix; unit, town, state and ZIP where they follow. USPS Publication 28."""

    category = Category.LOCATION
    score = 0.95
    pattern = re.compile(
        rf"(?<![\w./-])(?P<phi>\d{{1,6}}[A-Z]?[ ](?![AP]M\b)(?:[NSEW]{{1,2}}\.?[ ])?(?:(?:{CAP}|"
        rf"\d{{1,3}}(?:st|nd|rd|th))[ ]+){{1,4}}{STREET}\b\.?(?:\s+[NSEW]{{1,2}}\b\.?)?"
        rf"(?:,?\s+(?:Apt|Apartment|Suite|Ste|Unit|Floor|Fl|Bldg|Rm|\#)\.?\s*\#?[\w-]{{1,6}})?"
        rf"(?:,?\s+{CAP}(?:\s{CAP}){{0,2}},?\s+{STATE}\b\.?(?:\s+\d{{5}}(?:-\d{{4}})?)?)?)"
    )
