"""Streets without a suffix, known by the town and the state behind. 45 CFR 164.514(b)(2)(i)(B)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser
from curbside_deidentification.recognisers.street_address import HOUSE_NUMBER
from curbside_deidentification.recognisers.writing.addresses import PART_BREAK, TOWN, UNITS, ZIP
from curbside_deidentification.recognisers.writing.places import CAP, STATE, STATE_NAME


class NamedStreet(PatternRecogniser):
    """ "1420 Broadway, Mayfield, KY 42066": number, capitalised name, town, state and ZIP code.

    The order of the parts is that of USPS Publication 28, section 2; the ZIP code proves them.
    """

    category = Category.LOCATION
    score = 0.94
    pattern = re.compile(
        rf"(?P<phi>{HOUSE_NUMBER}[ ]{{1,2}}(?:{CAP}\.?[ ]{{1,2}}|\d{{1,3}}(?:st|nd|rd|"
        rf"th)[ ]){{0,4}}{CAP}\.?{UNITS}"
        rf"{PART_BREAK}{TOWN}(?:,?[ ]{{1,3}}|\^|[ ]?[\r\n])(?:{STATE}|{STATE_NAME})\b\.?"
        rf"(?:,?[ ]{{1,3}}|\^|[ ]?[\r\n]){ZIP})"
    )
