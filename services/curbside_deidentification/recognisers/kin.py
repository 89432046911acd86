"""Names of relatives: "her husband, Aurelio". 45 CFR 164.514(b)(2)(i)(A)."""

from __future__ import annotations

import re

from curbside_deidentification.recognisers.writing.names import KIN, NAME, NameRecogniser


class Kin(NameRecogniser):
    """Relatives, household members and friends: 164.514(b)(2)(i) names relatives and household members."""

    score = 0.85
    pattern = re.compile(rf"(?i:\b(?:{KIN}))(?:,|:|\s\(|\s?[-–])?\s{{0,2}}[\"“(]?(?P<phi>{NAME})")
