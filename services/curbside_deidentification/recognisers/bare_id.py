"""Identifying numbers without a label. 45 CFR 164.514(b)(2)(i)(R)."""

from __future__ import annotations

import re
from typing import Final

from curbside.phi import Category
from curbside_deidentification.domain.patterns import PatternRecogniser
from curbside_deidentification.recognisers.writing.labels import digits

# Trial registrations and codes of terminologies are public.
_PUBLIC: Final = ("NCT", "ISRCTN", "PMID", "ICD", "CPT", "LOINC", "DRG", "MSG", "DSM")
_CODED: Final = re.compile(
    r"(?:SNOMED(?:[- ]CT)?|SCT|LOINC|RxNorm|RxCUI|NDC|UMLS|CUI|CPT|HCPCS|ICD|PMID|doi|NCT|CAS|"
    r"PMC)(?:\s(?:code|id))?"
    r"[\s:#=|(]{0,3}$",
    re.IGNORECASE,
)
# "10000U" and "2000MG" are doses.
_DOSE: Final = re.compile(
    r"\d+(?:U|IU|MU|MG|MCG|UG|NG|G|GM|KG|LB|LBS|ML|DL|L|CC|MM|CM|M|MEQ|MMOL|CAL|KCAL|HZ|X|K|C|F)"
)
_SHAPE: Final = re.compile(
    r"[A-Z]{1,6}-?\d{5,12}(?:-\d{1,6})?|[A-Z]{1,6}\d{6,12}[A-Z]|"  # AB123456
    r"[A-Z]{1,3}\d{2}[-:]\d{3,7}|"  # S23-10456, C41:8949
    r"\d{2}[A-Z]{1,3}-?\d{4,7}|"  # 77S-81315
    r"[A-Z]{1,3}-\d{2}-\d{3,7}|"  # SP-31-3640
    r"[A-Z]{1,2}\d{3,5}-\d{3,5}|"  # E7973-884
    r"[A-Z]{1,4}-\d{3,6}-\d{2,6}|"  # AB-1234-567
    r"\d{2,4}-\d{3,5}-[A-Z]{1,3}|"  # 13-436-TU
    r"\d{2,4}-[A-Z]{1,3}-\d{3,7}|"  # 14-S-12345
    r"[A-Z]\d{3}-\d{4}-\d{4}|"
    r"\d{4,9}[A-Z]{1,3}\d{0,6}|"  # 2447M370
    r"\d[A-Z]{3}\d{3}|"  # a plate
    r"\d{2,5}-\d{2,5}-\d{2,6}|"
    r"\d{7,20}"
)
# Two groups of digits: not as long as each other, which ranges are, nor round.
_PAIR: Final = re.compile(r"(\d{2,8})-(\d{3,10})")


class BareId(PatternRecogniser):
    """An identifier whose form is enough: letters with five digits, or hyphenated groups of digits.

    Trial registrations (NCT, ISRCTN, EudraCT) are public and stay. ICD, CPT and LOINC codes are shorter.
    """

    category = Category.OTHER_ID
    pattern = re.compile(
        r"(?<![\w.,/-])(?P<phi>\#?(?=[A-Z]{0,6}-?\d)[A-Z0-9]{1,20}(?:[-:][A-Z0-9]{1,12}){0,3})"
        r"(?![\w/-]|[.:]\d|\s?(?:copies|CFU|cells|IU|units|mL|mg|ng|pg)\b)"
    )
    score = 0.8

    def valid(self, match: re.Match[str]) -> bool:
        value = match["phi"].removeprefix("#")
        count = len(digits(value))
        if count < 4 or (count < 5 and len(value) < 7) or value.startswith(_PUBLIC) or _DOSE.fullmatch(value):
            return False
        if value[:1].isdigit() and value.isdigit() and count < 6:
            return False
        pair = _PAIR.fullmatch(value)
        if pair is not None:
            return _is_pair(*pair.groups())
        if _SHAPE.fullmatch(value) is None or (value.isdigit() and value.endswith("00000")):
            return False
        return _CODED.search(match.string, max(0, match.start() - 20), match.start()) is None


def _is_pair(first: str, second: str) -> bool:
    if first.endswith("00") or second.endswith("00"):
        return False
    if len(first) == 2:
        return len(second) >= 5
    return len(first) != len(second) and len(first) + len(second) >= 8
