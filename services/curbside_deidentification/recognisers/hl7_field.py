"""Identifiers by their field in HL7 v2 segments. 45 CFR 164.514(b)(2)(i)(C), (D), (G), (H), (J) and (R)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from curbside.phi import Category
from curbside_deidentification.domain.lexicon import Lexicon
from curbside_deidentification.domain.spans import Span

# HL7 v2.5.1, chapters 2 to 7 and 9: fields by their number. Names and addresses are found by others.
_FIELDS: Final[Mapping[str, Mapping[int, Category]]] = MappingProxyType(
    {
        "EVN": {2: Category.DATE, 3: Category.DATE, 6: Category.DATE},
        "PID": {
            **dict.fromkeys((2, 3, 4, 21), Category.MRN),
            **dict.fromkeys((7, 29, 33), Category.DATE),
            **dict.fromkeys((13, 14), Category.PHONE),
            18: Category.ACCOUNT,
            19: Category.SSN,
            20: Category.LICENSE,
        },
        "MRG": {1: Category.MRN, 3: Category.ACCOUNT, 4: Category.MRN, 5: Category.OTHER_ID},
        "NK1": {**dict.fromkeys((5, 6, 31), Category.PHONE), 16: Category.DATE, 33: Category.OTHER_ID},
        "PV1": {
            **dict.fromkeys((5, 19, 50), Category.OTHER_ID),
            **dict.fromkeys((7, 8, 9, 17, 52), Category.LICENSE),
            **dict.fromkeys((44, 45), Category.DATE),
        },
        "ORC": {
            **dict.fromkeys((2, 3, 4, 8), Category.OTHER_ID),
            **dict.fromkeys((9, 15), Category.DATE),
            **dict.fromkeys((10, 11, 12), Category.LICENSE),
            14: Category.PHONE,
        },
        "OBR": {
            **dict.fromkeys((2, 3, 29), Category.OTHER_ID),
            **dict.fromkeys((6, 7, 8, 14, 22, 36), Category.DATE),
            **dict.fromkeys((10, 16, 28), Category.LICENSE),
            17: Category.PHONE,
        },
        "OBX": {14: Category.DATE, 18: Category.DEVICE, 19: Category.DATE},
        "SPM": {2: Category.OTHER_ID, 3: Category.OTHER_ID, 17: Category.DATE, 18: Category.DATE},
        "TXA": {
            **dict.fromkeys((4, 6, 7, 8), Category.DATE),
            **dict.fromkeys((12, 13, 14), Category.OTHER_ID),
        },
        "SCH": {1: Category.OTHER_ID, 2: Category.OTHER_ID},
        "GT1": {
            2: Category.ACCOUNT,
            **dict.fromkeys((6, 7, 18), Category.PHONE),
            8: Category.DATE,
            12: Category.SSN,
            19: Category.OTHER_ID,
        },
        "IN1": {
            **dict.fromkeys((8, 10, 36, 49), Category.HEALTH_PLAN),
            **dict.fromkeys((12, 13, 18), Category.DATE),
            7: Category.PHONE,
            14: Category.HEALTH_PLAN,
        },
        "FT1": {2: Category.OTHER_ID, 4: Category.DATE, 5: Category.DATE},
        "DG1": {5: Category.DATE},
        "PR1": {5: Category.DATE},
        "AL1": {6: Category.DATE},
        "RXA": {3: Category.DATE, 4: Category.DATE, 15: Category.DEVICE},
        "ACC": {1: Category.DATE},
    }
)
# A segment ends with its line, or where the next begins: feeds flatten line breaks to spaces.
_SEGMENT: Final = re.compile(rf"(?<!\S)({'|'.join(_FIELDS)})\|")
_END: Final = re.compile(r"[\r\n]|\s(?=[A-Z][A-Z0-9]{2}\|)|\Z")
_COMPONENT: Final = re.compile(r"[^\^~&]+")


class Hl7Field:
    """Values of fields that identify, whatever they look like: the first component of a number or a time
    stamp, and every component of a telephone that holds a digit."""

    def find(self, text: str, lexicon: Lexicon | None = None) -> Iterator[Span]:
        if "|" not in text:
            return
        for segment in _SEGMENT.finditer(text):
            fields, start = _FIELDS[segment[1]], segment.end()
            ended = _END.search(text, start)
            end = ended.start() if ended else len(text)
            for number, field in enumerate(text[start:end].split("|"), start=1):
                if number in fields:
                    yield from _values(field, start, fields[number])
                start += len(field) + 1


def _values(field: str, start: int, category: Category) -> Iterator[Span]:
    for component in _COMPONENT.finditer(field):
        first = component.start() == 0 or field[component.start() - 1] == "~"
        long = sum(character.isdigit() for character in component[0]) >= (2 if first else 3)
        if long and (first or category is Category.PHONE):
            yield Span(start + component.start(), start + component.end(), category, 0.96, "Hl7Field")
