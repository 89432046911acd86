"""Names in segments of HL7 v2 that a text quotes: "PID|1||7||FELDMANN^ROBERT". 45 CFR 164.514(b)(2)(i)(A)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from curbside.phi import Category
from curbside_deidentification.domain.lexicon import Lexicon
from curbside_deidentification.domain.spans import Span

# HL7 2.5.1, chapters 2 to 9: the fields that hold extended person names (XPN) and, in the second list,
# extended composite identifiers with names (XCN, XON) of a segment.
_NAMES: Final[Mapping[str, frozenset[int]]] = MappingProxyType(
    {
        "PID": frozenset((5, 6, 9)),
        "NK1": frozenset((2, 26, 30)),
        "GT1": frozenset((3, 4, 42, 45)),
        "IN1": frozenset((6, 16)),
        "IN2": frozenset((7, 9, 22, 49)),
        "MRG": frozenset((7,)),
        "STF": frozenset((3,)),
        "CTD": frozenset((2,)),
    }
)
_IDENTIFIED: Final[Mapping[str, frozenset[int]]] = MappingProxyType(
    {
        "EVN": frozenset((5,)),
        "PD1": frozenset((4,)),
        "PV1": frozenset((7, 8, 9, 17, 52)),
        "PV2": frozenset((13,)),
        "ORC": frozenset((10, 11, 12, 19)),
        "OBR": frozenset((10, 16, 28, 32, 33, 34, 35)),
        "OBX": frozenset((16, 25)),
        "TXA": frozenset((5, 9, 10, 11, 22, 23)),
        "DG1": frozenset((16,)),
        "PR1": frozenset((8, 11, 12)),
        "ROL": frozenset((4,)),
        "PRT": frozenset((5,)),
        "RXA": frozenset((10,)),
        "RXO": frozenset((14, 15)),
        "RXE": frozenset((13, 14)),
        "AIP": frozenset((3,)),
    }
)
_SEGMENT: Final = re.compile(
    rf"(?<![\w|^~&])({'|'.join((*_NAMES, *_IDENTIFIED, 'MSH', 'AL1', 'NTE', 'FT1'))})\|"
)
_LETTERS: Final = re.compile(r"[^\W\d_]{1,40}(?:['’ .-]{1,2}[^\W\d_]{1,40}){0,4}\.?")
_WORD: Final = re.compile(r"[^\W\d_]{1,40}(?:['’-][^\W\d_]{1,40}){0,3}")
_LINE_END: Final = re.compile(r"[\r\n]")
_LONGEST_FIELD: Final = 500


class Hl7Name:
    """Family, given and middle names of the fields that hold a person, whatever the words."""

    def find(self, text: str, lexicon: Lexicon) -> Iterator[Span]:
        segments = list(_SEGMENT.finditer(text))
        for segment, following in zip(segments, [*segments[1:], None], strict=False):
            name = segment[1]
            stop = len(text) if following is None else following.start()
            if (line := _LINE_END.search(text, segment.end(), stop)) is not None:
                stop = line.start()
            plain, identified = _NAMES.get(name, frozenset()), _IDENTIFIED.get(name, frozenset())
            last = max((*plain, *identified, 0))
            at = segment.end()
            for number in range(1, last + 1):
                end = text.find("|", at, stop)
                end = stop if end < 0 else end
                if number in plain or number in identified:
                    yield from _people(
                        text,
                        at,
                        min(end, at + _LONGEST_FIELD),
                        identified=number in identified,
                        runs_on=end >= stop,
                    )
                if end >= stop:
                    break
                at = end + 1


def _people(text: str, start: int, end: int, *, identified: bool, runs_on: bool) -> Iterator[Span]:
    """The names of one field: family, given, middle and suffix, behind the number of an identified one."""
    at = start
    for repetition in text[start:end].split("~"):
        components = repetition.split("^")
        numbered = not components[0] or any(sign.isdigit() for sign in components[0])
        first = 1 if identified and len(components) > 1 and numbered else 0
        for place, component in enumerate(components[: first + 4]):
            # The last field of a message whose line breaks are lost runs on into the next text.
            letters = _WORD if runs_on and place and place == len(components) - 1 else _LETTERS
            name = letters.match(component) if place >= first else None
            if name is not None:
                yield Span(at + name.start(), at + name.end(), Category.NAME, 0.95, "Hl7Name")
            at += len(component) + 1
        at += sum(len(component) + 1 for component in components[first + 4 :])
