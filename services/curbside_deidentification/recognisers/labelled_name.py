"""Names behind a label: "Attending: Ruth Vanterpool". 45 CFR 164.514(b)(2)(i)(A)."""

from __future__ import annotations

import re

from curbside_deidentification.recognisers.writing.names import NAME, ROLES, SUFFIX, TITLES, NameRecogniser


class LabelledName(NameRecogniser):
    """A name behind a label for a person: patient, relative, staff."""

    score = 0.92
    labelled = True
    whole = True
    pattern = re.compile(
        rf"(?i:\b(?:{ROLES}))[ \t]{{0,3}}[:=][ \t]{{0,20}}(?:{TITLES}\.?\s)?(?P<phi>{NAME}{SUFFIX})"
    )
