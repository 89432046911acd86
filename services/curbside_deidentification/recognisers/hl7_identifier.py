"""Numbers of orders, specimens, messages and devices in HL7 v2. 45 CFR 164.514(b)(2)(i)(R)."""

from __future__ import annotations

import re

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser


class Hl7Identifier(PatternRecogniser):
    """A component with six digits in a row, or ten that are parted, that is no code of a terminology.

    Message, placer, filler and specimen numbers (MSH-10, ORC-2, OBR-3, SPM-2) have whatever form a system
    gives them. HL7 v2.5.1, chapter 2A: CX, EI and XCN begin with such a number; a code (CE, CWE) is followed
    by its text and its system. An object identifier names a system and stays.
    """

    category = Category.OTHER_ID
    score = 0.7
    pattern = re.compile(
        r"(?<=[|^&~])(?P<phi>[A-Za-z0-9][A-Za-z0-9:._/-]{5,59})(?=[|^&~\r\n]|$)"
        r"(?!\^[^|^\r\n]{0,200}\^(?:SCT|LN|CVX|MVX|ICD\w{1,3}|I9C?|I10C?|C4|HL7\d{1,4}|UCUM|NDC|RXNORM)\b)"
    )
    _LONG = re.compile(r"\d{6}|(?:\d\D?){10}")
    # An object identifier, a LOINC code, a range of values.
    _OTHER = re.compile(r"\d{1,12}(?:\.\d{1,12}){3,}|\d{1,6}-\d|\d{1,9}(?:\.\d{1,9})?-\d{1,9}(?:\.\d{1,9})?")

    def valid(self, match: re.Match[str]) -> bool:
        return self._LONG.search(match["phi"]) is not None and not self._OTHER.fullmatch(match["phi"])
