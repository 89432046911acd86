"""The text of one report: its OBX by value type, its NTE under them, and the documents within it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Final

from curbside.errors import BadInput
from curbside_ingestion.extraction.found import (
    Limits,
    MissingContent,
    OversizedDocument,
    Quality,
    Refused,
)
from curbside_ingestion.extraction.hl7v2.encapsulated import read_encapsulated
from curbside_ingestion.extraction.hl7v2.policy import load_headings, load_policy
from curbside_ingestion.extraction.hl7v2.segments import Segment, Value
from curbside_ingestion.extraction.hl7v2.times import iso_of

_TEXTS: Final = ("TX", "FT", "ST", "", "GTS", "VTX", "SCV")  # also where OBX-2 is missing
_CODED: Final = ("CE", "CWE", "CNE", "CF", "CCP")
_TIMES: Final = ("DT", "TS", "DTM", "TM")
_LONGEST_LINE: Final = 120  # characters of a text that stands behind its name rather than under it
# Flags of table 0078 that say nothing: N is "normal", and a result without a flag is that.
_SILENT_FLAGS: Final = ("", "N")


@dataclass
class Observed:
    """What the observations of a report came to."""

    text: str = field(default="", repr=False)
    refused: list[Refused] = field(default_factory=list)
    quality: Quality | None = None
    dropped: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Observation:
    """An OBX, or none where notes stand before the first, and the NTE under it."""

    segment: Segment | None = field(repr=False)
    notes: tuple[Segment, ...] = field(default=(), repr=False)

    @property
    def kind(self) -> str:
        return self.segment.get(2).upper() if self.segment else ""

    @property
    def status(self) -> str:
        return self.segment.get(11).upper() if self.segment else ""

    @property
    def identity(self) -> tuple[str, ...]:
        """OBX-3: consecutive OBX that share it are lines of one text."""
        if self.segment is None:
            return ()
        name = self.segment.first(3)
        return name.get(1), name.get(1, 2), name.get(2), name.get(4), name.get(5)

    @property
    def order(self) -> tuple[int, ...]:
        """OBX-4, where it is a number or numbers with dots."""
        parts = self.segment.get(4).split(".") if self.segment else []
        return tuple(int(part) for part in parts if part.isascii() and part.isdigit() and len(part) < 10)


def observe(observations: Sequence[Observation], place: str, limits: Limits) -> Observed:
    """The report's text. What of it is elsewhere or cannot be read comes as `refused`, beside the rest."""
    result, blocks = Observed(), []
    retracted = load_policy().retracted_observations
    standing = [one for one in observations if one.status not in retracted]
    if len(standing) < len(observations):
        result.dropped["OBX-11 retracted"] += len(observations) - len(standing)
    two_descriptions = any(one.identity[1:2] == ("MDT",) for one in standing)
    for _, group in groupby(standing, key=lambda one: (one.identity, one.kind in _TEXTS)):
        blocks += _block(_ordered(list(group)), two_descriptions, place, limits, result)
        if sum(map(len, blocks)) > limits.max_characters:
            raise OversizedDocument(
                f"the report has more than {limits.max_characters} characters",
                field="OBX-5",
                mend="Send it in parts.",
            )
    result.text = "\n".join(blocks).strip()
    return result


def _ordered(group: list[Observation]) -> list[Observation]:
    orders = [one.order for one in group]
    if all(orders) and len(set(orders)) == len(orders):
        return sorted(group, key=lambda one: one.order)
    return group


def _block(
    group: Sequence[Observation], two_descriptions: bool, place: str, limits: Limits, result: Observed
) -> list[str]:
    """The lines of observations that share their OBX-3."""
    head = group[0].segment
    if head is None or group[0].kind not in _TEXTS:
        return [line for one in group for line in (*_result(one, place, limits, result), *_notes(one))]
    heading = _heading(head, two_descriptions)
    lines: list[str] = []
    for one in group:
        text = one.segment.text(5).strip("\n\r") if one.segment else ""
        if text.strip() and one.segment is not None and _is_measured(one.segment):
            text = _with_units(text, one.segment)
        lines += [line.rstrip() for line in text.splitlines()] if text.strip() else [""] * (len(group) > 1)
        lines += _notes(one)
    text = "\n".join(lines).strip("\n")
    if not text.strip():
        return []
    name = heading or _name(head.first(3))
    if not name or text.lstrip().casefold().startswith(name.casefold()):
        return [text]
    if not heading and "\n" not in text and len(text) <= _LONGEST_LINE:
        return [f"{name}: {text.strip()}"]
    return [f"{name}:", text]


def _result(one: Observation, place: str, limits: Limits, result: Observed) -> list[str]:
    """The line of a value that is no text, or the text of a document."""
    segment = one.segment
    if segment is None:
        return []
    where = f"{place}, OBX {segment.get(1)[:8] or '?'}" if segment.get(1).isdigit() else f"{place}, OBX"
    name = _name(segment.first(3))
    try:
        if one.kind == "RP":  # 2.A.65: a pointer to data that is kept elsewhere
            raise MissingContent(
                "the observation points to a document elsewhere",
                field="OBX-5",
                mend="Send it within the message.",
            )
        if one.kind == "ED":
            if not segment.raw(5).strip():
                return []
            document = read_encapsulated(segment, limits)
            result.quality = document.quality or result.quality
            return [document.text.strip()]
    except BadInput as problem:
        result.refused.append(Refused(where, problem))
        return []
    values = [text for value in segment.values(5) if (text := _readable(value, one.kind))]
    if not values:
        return []
    text = _with_units("; ".join(values), segment)
    return [f"{name}: {text}" if name else text]


def _readable(value: Value, kind: str) -> str:
    """One value as people write it."""
    if kind in _CODED:  # identifier, text, system; the same again in another system; the original text
        return value.get(9) or value.get(2) or value.get(5) or value.get(1) or value.get(4)
    if kind == "SN":  # comparator, number, separator or suffix, number: ">^100", "^1^:^128", "^2^+"
        return "".join(value.get(part) for part in range(1, 5))
    if kind in _TIMES:
        return iso_of(value.get()) or value.get()
    if kind == "CQ":
        return f"{value.get()} {value.get(2)}".strip()
    if kind == "NR":
        return f"{value.get()}-{value.get(2)}"
    if kind in ("XCN", "CNN", "XPN", "PN", "XAD", "AD", "XTN", "TN"):
        return " ".join(part for number in range(1, len(value) + 1) if (part := value.get(number)))
    return ", ".join(part for number in range(1, len(value) + 1) if (part := value.get(number)))


def _is_measured(segment: Segment) -> bool:
    return segment.get(2).upper() == "ST" and any(segment.raw(number).strip() for number in (6, 7, 8))


def _with_units(text: str, segment: Segment) -> str:
    """`text` with its unit (OBX-6), its reference range (OBX-7) and its flag (OBX-8)."""
    unit = segment.first(6)
    text = f"{text} {unit.get(1) or unit.get(2)}".strip()
    if reference := segment.text(7).strip():
        text += f" (reference {' '.join(reference.split())})"
    flags = [name for value in segment.values(8) if (name := value.get(1)) not in _SILENT_FLAGS]
    return f"{text} [{', '.join(flags)}]" if flags else text


def _notes(one: Observation) -> list[str]:
    return [line.rstrip() for note in one.notes for line in note.text(3).strip().splitlines()]


def _heading(segment: Segment, two_descriptions: bool) -> str:
    """The heading that OBX-3's suffix or LOINC stands for; empty where it is the name of a result."""
    name, headings = segment.first(3), load_headings()
    suffix = name.get(1, 2).upper()
    if suffix == "GDT" and two_descriptions:
        return "GROSS DESCRIPTION"
    if suffix in headings.suffixes:
        return headings.suffixes[suffix]
    return headings.loinc.get(name.get(1)) or headings.loinc.get(name.get(4), "")


def _name(name: Value) -> str:
    """OBX-3 in words. Angular brackets and the colon that the line has anyway are left off."""
    text = name.get(9) or name.get(2) or name.get(5) or name.get(1) or name.get(4)
    return re.sub(r"\s+", " ", text).strip().rstrip(":").strip()
