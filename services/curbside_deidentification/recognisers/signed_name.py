"""Names behind what was done: "dictated by R. Vanterpool". 45 CFR 164.514(b)(2)(i)(A)."""

from __future__ import annotations

import re

from curbside_deidentification.recognisers.writing.names import NAME, SUFFIX, TITLES, NameRecogniser


class SignedName(NameRecogniser):
    """Who signed, dictated, saw or referred."""

    score = 0.88
    whole = True
    pattern = re.compile(
        rf"(?i:\b(?:signed|dictated|transcribed|read|interpreted|verified|attested|"
        rf"authenticated|cosigned|electronically\s+signed|seen|evaluated|examined|referred|"
        rf"followed|managed|performed|treated|prescribed|discussed|reviewed|staffed)\s+by|"
        rf"\b(?:seen|evaluated|examined|discussed|reviewed|staffed|followed)\s+with)\s{{1,3}}(?:{TITLES}\.?\s)?(?P<phi>{NAME}{SUFFIX})"
    )
