"""Signatures: "/s/ Ruth Vanterpool", "-- Ruth Vanterpool". 45 CFR 164.514(b)(2)(i)(A)."""

from __future__ import annotations

import re

from curbside_deidentification.recognisers.writing.names import NAME, NameRecogniser


class SlashSignature(NameRecogniser):
    """The sign of 17 CFR 232.302 for a signature, or a line that begins with two dashes, before a name."""

    score = 0.88
    labelled = True
    whole = True
    pattern = re.compile(rf"(?:/s/|(?m:^)[ \t]{{0,4}}(?:--|—)|\bX_{{2,30}})[ ]{{0,3}}(?P<phi>{NAME})")
