"""Post office boxes. 45 CFR 164.514(b)(2)(i)(B)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser
from curbside_deidentification.recognisers.writing.addresses import BARE_TOWN, TOWN_STATE, UNITS


class PostBox(PatternRecogniser):
    """Post office boxes, with what follows of an address. USPS Publication 28, section 28."""

    category = Category.LOCATION
    score = 0.95
    pattern = re.compile(
        r"(?<!\w)(?P<phi>(?i:p\.?[ ]?o\.?[ ]?box|post(?:al)?(?:[ ]office)?[ ]box|p\.?o\.?[ ]?b\.?|pmb|"
        r"caller[ ]service)"
        rf"\.?[ ]{{0,2}}(?:#|(?i:no)\.?)?[ ]?\d{{1,7}}[A-Z]?\b{UNITS}(?:{TOWN_STATE}|{BARE_TOWN})?)(?!\w)"
    )
