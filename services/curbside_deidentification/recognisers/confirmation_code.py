"""Codes that book, confirm or open: "Conf. code ZX9-KK2". 45 CFR 164.514(b)(2)(i)(R)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser


class ConfirmationCode(PatternRecogniser):
    """Letters and figures, four or more, behind what is confirmed or opened and a word for a code."""

    category = Category.OTHER_ID
    score = 0.9
    pattern = re.compile(
        r"\b(?i:conf(?:irm(?:ation)?)?|reservation|booking|rsvp|pick-?\s?up|verification|activation|invit(?:e|ation)|"
        r"enrol?lment|door|gate|entry|lock\s?box|alarm|unlock|security|redemption|voucher|coupon|record|ride|trip|"
        r"itinerary|parking|locker|portal|log-?in|video\svisit|meeting|zoom)\b\.?[ ]"
        r"(?i:code|locator|passcode|password|pin)\b[ ]?(?i:is|was|[:#=(])?[ ]{0,2}[#\"“]?"
        r"(?P<phi>(?=[A-Z-]{0,12}\d)[A-Z0-9]{2,12}(?:-[A-Z0-9]{2,8}){0,3})(?![\w-])"
    )

    def valid(self, match: re.Match[str]) -> bool:
        return len(match["phi"]) >= 4
