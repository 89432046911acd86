"""Names that the text calls so: "goes by Robbie". 45 CFR 164.514(b)(2)(i)(A)."""

from __future__ import annotations

import re

from curbside_deidentification.recognisers.writing.names import NAME, NameRecogniser


class NamedPerson(NameRecogniser):
    """A name that is introduced as one."""

    score = 0.85
    whole = True
    pattern = re.compile(
        rf"(?i:\b(?:named|name\s+is|called|goes\s+by|known\s+as|nicknamed|prefers|"
        rf"on\s+behalf\s+of))\s{{1,2}}[\"“']?(?P<phi>{NAME})"
    )
