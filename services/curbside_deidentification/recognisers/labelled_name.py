"""Names behind a label: "Attending: Ruth Vanterpool". 45 CFR 164.514(b)(2)(i)(A)."""

from __future__ import annotations

import re

from curbside_deidentification.domain.gate import is_abbreviation
from curbside_deidentification.domain.lexicon import Lexicon
from curbside_deidentification.recognisers.writing.names import NAME, ROLES, SUFFIX, TITLES, NameRecogniser


class LabelledName(NameRecogniser):
    """A name behind a label for a person: patient, relative, staff."""

    score = 0.92
    labelled = True
    whole = True
    pattern = re.compile(
        rf"(?i:\b(?:{ROLES}))[ \t]{{0,3}}[:=][ \t]{{0,20}}(?:{TITLES}\.?\s)?(?P<phi>{NAME}{SUFFIX})"
    )

    def bounds(self, match: re.Match[str], lexicon: Lexicon) -> tuple[int, int] | None:
        kept = super().bounds(match, lexicon)
        # "Called re: BP": an abbreviation is what a message is about.
        if kept is not None and match[0][:2].casefold() in ("re", "cc") and kept[1] - kept[0] < 4:
            return kept if not is_abbreviation(match.string[slice(*kept)], lexicon) else None
        return kept
