"""An initial and a name: "R. Vanterpool". 45 CFR 164.514(b)(2)(i)(A)."""

from __future__ import annotations

import re

from curbside_deidentification.recognisers.writing.names import NameRecogniser


class InitialWithName(NameRecogniser):
    """Initials with a surname."""

    score = 0.8
    pattern = re.compile(r"(?<![\w./-])(?P<phi>(?:[A-Z]\.[ ]?){1,2}[A-Z][a-z]{2,}(?:-[A-Z][a-z]+)?)\b")
