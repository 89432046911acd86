"""Parts of addresses in JSON and XML. 45 CFR 164.514(b)(2)(i)(B)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser


class StructuredAddress(PatternRecogniser):
    """Line, town, district and postcode by the names that FHIR R4, `Address`, gives them."""

    category = Category.LOCATION
    score = 0.95
    pattern = re.compile(
        r"\"(?:city|district|postalCode|line)\"[ ]?:\s{0,40}(?:\[\s{0,40})?\"(?P<phi>[^\"\r\n]{2,120})\""
    )


class MarkedAddress(StructuredAddress):
    """The same between the tags of C-CDA R2.1, `addr`."""

    pattern = re.compile(
        r"<(?:\w{1,8}:)?(?:streetAddressLine|city|county|postalCode|precinct|houseNumber|streetName)"
        r"(?:[ ][^<>]{0,80})?>\s{0,20}(?P<phi>[^<>]{2,120}?)\s{0,20}<"
    )
