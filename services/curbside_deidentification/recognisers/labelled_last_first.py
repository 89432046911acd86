"""Surnames first behind a label: "Patient: Feldmann, Robert". 45 CFR 164.514(b)(2)(i)(A)."""

from __future__ import annotations

import re

from curbside_deidentification.recognisers.writing.names import LAST_FIRST, ROLES, SUFFIX, NameRecogniser


class LabelledLastFirst(NameRecogniser):
    """Surname, comma, given names behind a label for a person."""

    score = 0.93
    labelled = True
    whole = True
    pattern = re.compile(rf"(?i:\b(?:{ROLES}))[ \t]{{0,3}}[:=][ \t]{{0,20}}(?P<phi>{LAST_FIRST}{SUFFIX})")
