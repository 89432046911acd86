"""Names in apposition to the patient: "the patient, Aurelio". 45 CFR 164.514(b)(2)(i)(A)."""

from __future__ import annotations

import re

from curbside_deidentification.recognisers.writing.names import NAME, NameRecogniser


class PatientName(NameRecogniser):
    """A name next to a word for the patient."""

    score = 0.85
    whole = True
    pattern = re.compile(
        rf"(?i:\b(?:patient|pt|mr|male|female|man|woman|boy|girl|gentleman|lady|client|infant|"
        rf"baby|case\s+of))(?:,|:|\s\(|\s?[-–])?\s{{1,2}}[\"“(]?(?P<phi>{NAME})"
    )
