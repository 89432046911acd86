"""International bank account numbers by their check digits. 45 CFR 164.514(b)(2)(i)(J)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser
from curbside_deidentification.recognisers.writing.check_digits import modulo_97


class BankAccount(PatternRecogniser):
    """IBAN, ISO 13616-1: country, two check digits, 11 to 30 characters; ISO/IEC 7064 MOD 97-10 gives 1."""

    category = Category.ACCOUNT
    score = 0.97
    pattern = re.compile(
        r"(?<!\w)[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]{4}){2,7}(?:[ -]?[A-Z0-9]{1,3})?(?!\w)", re.IGNORECASE
    )

    def valid(self, match: re.Match[str]) -> bool:
        value = re.sub(r"[ -]", "", match[0]).upper()
        return 15 <= len(value) <= 34 and modulo_97(value[4:] + value[:4]) == 1
