"""A name and an initial: "Richard B.". 45 CFR 164.514(b)(2)(i)(A)."""

from __future__ import annotations

import re

from curbside_deidentification.recognisers.writing.names import NameRecogniser


class NameWithInitial(NameRecogniser):
    """A given name with the initial of a surname."""

    score = 0.8
    whole = True
    pattern = re.compile(r"(?<![\w.-])(?P<phi>[A-Z][a-z]{2,14}\s[A-Z]\.?)(?=[\s,;:)?!'’]|$)")
