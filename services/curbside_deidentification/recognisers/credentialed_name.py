"""Names before a credential: "R. Vanterpool, MD". 45 CFR 164.514(b)(2)(i)(A)."""

from __future__ import annotations

import re

from curbside_deidentification.recognisers.writing.names import CREDENTIAL, NAME, SUFFIX, NameRecogniser


class CredentialedName(NameRecogniser):
    """A name with a degree or a licence behind it."""

    score = 0.9
    whole = True
    pattern = re.compile(
        rf"(?<![\w-])(?P<phi>{NAME}{SUFFIX})(?=(?:,\s{{0,2}}|"
        rf"\s{{1,2}})\(?{CREDENTIAL}(?![\w]))"
    )
