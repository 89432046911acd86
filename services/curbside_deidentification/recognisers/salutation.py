"""Names in letters: "Dear Mrs. Vanterpool". 45 CFR 164.514(b)(2)(i)(A)."""

from __future__ import annotations

import re

from curbside_deidentification.recognisers.writing.names import NAME, TITLES, NameRecogniser


class Salutation(NameRecogniser):
    """Whom a letter greets, and who ends it."""

    score = 0.85
    whole = True
    pattern = re.compile(
        rf"\b(?:Dear|Hi|Hello|Sincerely,?|Regards,?|Attn:?)\s{{1,4}}(?:{TITLES}\.?\s)?(?P<phi>{NAME})"
    )
