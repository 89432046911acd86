"""User names of people behind their label: "User: rvanterpool2". 45 CFR 164.514(b)(2)(i)(A)."""

from __future__ import annotations

import re
from typing import Final

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser


class UserName(PatternRecogniser):
    """What stands behind a label for a user's name or login."""

    category = Category.NAME
    score = 0.85
    pattern = re.compile(
        r"\b(?i:user(?:[ ]?(?:name|id))?|login(?:[ ](?:name|id))?|log-?in|logged[ ](?:in|on)[ ](?:as|"
        r"by)|handle|screen[ ]?name|skype|instagram|facebook|twitter|"
        r"portal[ ](?:user|id)|mychart[ ](?:user|id|name)?|network[ ]id|epic[ ]id|entered[ ]by|"
        r"filed[ ]by|last[ ]edited[ ]by|modified[ ]by|created[ ]by)"
        r"(?:[ ]?(?::|=|#)[ ]{0,3}|[ ](?:is[ ])?)(?P<phi>@?[A-Za-z][\w.-]{2,29}(?<![.-])|"
        r"[A-Z]{3,14})(?![\w@-])"
    )

    def valid(self, match: re.Match[str]) -> bool:
        # A word is no handle: it has a digit, a sign, or capitals throughout behind a colon.
        handle = match["phi"]
        if any(sign in handle[1:] for sign in "._@") or any(letter.isdigit() for letter in handle):
            return any(letter.isalpha() for letter in handle)
        labelled = match[0][: match.start("phi") - match.start()].rstrip()[-1:] in ":=#"
        return (
            labelled
            and (handle.isupper() or handle.islower())
            and len(handle) > 4
            and handle.casefold() not in _NOT_HANDLES
        )


_NOT_HANDLES: Final = frozenset(
    "unknown none system patient family nurse physician provider staff admin interface doctor".split()  # noqa: SIM905
)
