"""Surnames first before a credential: "Vanterpool, Ruth, MD". 45 CFR 164.514(b)(2)(i)(A)."""

from __future__ import annotations

import re

from curbside_deidentification.recognisers.writing.names import CREDENTIAL, LAST_FIRST, NameRecogniser


class CredentialedLastFirst(NameRecogniser):
    """The same with the surname in front."""

    score = 0.9
    whole = True
    pattern = re.compile(
        rf"(?<![\w-])(?P<phi>{LAST_FIRST})(?=(?:,\s{{0,2}}|\s{{1,2}})\(?{CREDENTIAL}(?![\w]))"
    )
