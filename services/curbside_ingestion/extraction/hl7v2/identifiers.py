"""What the segments say of patient, relatives and staff, as `known` of a row."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from types import MappingProxyType
from typing import Final

from curbside_ingestion.extraction.hl7v2.segments import Segment, Value
from curbside_ingestion.extraction.hl7v2.times import iso_of

_MOST: Final = 50  # values of one kind, and characters of one value, as domain/report
_LONGEST: Final = 200
_SHORTEST: Final = MappingProxyType({"mrns": 4, "numbers": 5, "phones": 7, "addresses": 5})
_SHORTEST_OTHER: Final = 2
_EMAIL: Final = re.compile(r"[^\s@]+@[^\s@]+\.[^\s@]+")

Reader = Callable[[Value], Iterable[str]]


def known_of(segments: Iterable[Segment]) -> dict[str, list[str]]:
    """The identifiers in `segments`, by kind, each once, in the order of their rules."""
    found: dict[str, dict[str, None]] = {}
    by_name: dict[str, list[Segment]] = {}
    for segment in segments:
        by_name.setdefault(segment.name, []).append(segment)
    for name, fields, kind, read in _RULES:
        for segment in by_name.get(name, ()):
            for number in fields:
                for value in segment.values(number):
                    for text in read(value):
                        _add(found.setdefault(kind, {}), kind, text)
    for text in found.get("names", {}):  # a guarantor or insured who is the patient is no relative
        found.get("relatives", {}).pop(text, None)
    emails = found.setdefault("emails", {})
    for text in [text for text in found.get("phones", {}) if "@" in text]:
        del found["phones"][text]
        if _EMAIL.fullmatch(text):
            _add(emails, "emails", text)
    return {kind: list(values)[:_MOST] for kind, values in found.items() if values}


def _add(values: dict[str, None], kind: str, text: str) -> None:
    text = "".join(character if character.isprintable() else " " for character in text)
    text = re.sub(r"\s+", " ", text).strip(" ,;")
    if _SHORTEST.get(kind, _SHORTEST_OTHER) <= len(text) <= _LONGEST:
        if kind in ("mrns", "numbers") and not any(character.isdigit() for character in text):
            return
        values[text] = None


def person(value: Value) -> Iterator[str]:
    """XPN (2.A.88): family, given, middle, suffix, prefix. Of a family name's parts the whole comes first."""
    yield from _names(value.get(1), value.get(2), value.get(3), value.get(4))
    if own := value.get(1, 3):  # FN.3, own surname beside the partner's
        yield from _names(own, value.get(2), value.get(3), "")


def staff(value: Value) -> Iterator[str]:
    """XCN (2.A.86), whose first component is an id; CNN within NDL (2.A.45); a name alone in a string."""
    if value.get(1, 2) and not value.get(2):  # NDL.1 is a CNN, its parts sub-components
        yield from _names(value.get(1, 2), value.get(1, 3), value.get(1, 4), value.get(1, 5))
    elif value.get(2):
        yield from _names(value.get(2), value.get(3), value.get(4), value.get(5))
    elif not any(character.isdigit() for character in value.get(1)):
        yield value.get(1)


def staff_ids(value: Value) -> Iterator[str]:
    yield value.get(1)


def _names(family: str, given: str, middle: str, suffix: str) -> Iterator[str]:
    if family or given:
        yield " ".join(part for part in (given, middle, family, suffix) if part)


def identifier(value: Value) -> Iterator[str]:
    """CX (2.A.14) or EI (2.A.28): the id itself; senders put it into EI.3 where they have no other."""
    yield value.get(1) or value.get(3)


def specimen(value: Value) -> Iterator[str]:
    """EIP (2.A.29): the placer's and the filler's id, each an EI in sub-components."""
    yield value.get(1)
    yield value.get(2)


def address(value: Value) -> Iterator[str]:
    """XAD (2.A.85) as one line, and its street alone. SAD's sub-components: line, street's name, number."""
    street = value.get(1) or f"{value.get(1, 3)} {value.get(1, 2)}"
    region = " ".join(part for part in (value.get(4), value.get(5)) if part)
    line = ", ".join(part for part in (street.strip(), value.get(2), value.get(3), region) if part)
    if street.strip() or value.get(3):
        yield line
    yield street


def phone(value: Value) -> Iterator[str]:
    """XTN (2.A.89): as dialled, unformatted, in parts; and its e-mail address, which `known_of` sorts out."""
    yield value.get(1)
    yield value.get(12)
    yield value.get(4)
    if value.get(7):
        yield "-".join(part for part in (value.get(6), value.get(7)) if part)


def birth(value: Value) -> Iterator[str]:
    yield iso_of(value.get())[:10]


# Segment, fields, kind, and how a value of theirs is read. Numbers are those of v2.5.1, or of the version
# that brought the field.
_RULES: Final[tuple[tuple[str, tuple[int, ...], str, Reader], ...]] = (
    ("PID", (5, 9), "names", person),
    ("PID", (6,), "relatives", person),  # mother's maiden name
    ("NK1", (2, 30), "relatives", person),
    ("GT1", (3, 4, 45), "relatives", person),
    ("IN1", (7, 16), "relatives", person),
    ("PID", (3, 2, 4), "mrns", identifier),
    ("PID", (18, 19, 20, 21), "numbers", identifier),  # account, SSN, driver's licence, mother's id
    ("MRG", (1, 2, 3, 4, 5, 6), "mrns", identifier),
    ("PV1", (19, 5, 50), "numbers", identifier),
    ("OBR", (3, 2), "numbers", identifier),
    ("ORC", (3, 2, 4), "numbers", identifier),
    ("TXA", (12, 13, 14, 15), "numbers", identifier),
    ("SPM", (2, 3), "numbers", specimen),
    ("SPM", (30, 31), "numbers", identifier),
    ("SAC", (1, 2, 3, 4), "numbers", identifier),
    ("GT1", (2, 12), "numbers", identifier),
    ("IN1", (36, 49, 8), "numbers", identifier),
    ("IN2", (1, 2, 6, 8, 61), "numbers", identifier),
    ("NK1", (33,), "numbers", identifier),
    ("PID", (7,), "dates_of_birth", birth),
    ("PID", (11,), "addresses", address),
    ("NK1", (4, 32), "addresses", address),
    ("GT1", (5,), "addresses", address),
    ("IN1", (19,), "addresses", address),
    ("PID", (13, 14, 40), "phones", phone),
    ("NK1", (5, 6, 7, 31), "phones", phone),
    ("GT1", (6, 7), "phones", phone),
    ("ORC", (14,), "phones", phone),
    ("OBR", (17,), "phones", phone),
    ("PV1", (7, 8, 9, 17, 52), "staff", staff),
    ("OBR", (16, 28, 32, 33, 34, 35, 10), "staff", staff),
    ("ORC", (12, 10, 11, 19), "staff", staff),
    ("TXA", (5, 9, 10, 11, 22, 23), "staff", staff),
    ("OBX", (16, 25), "staff", staff),
    ("PD1", (4,), "staff", staff),
    ("ROL", (4,), "staff", staff),
    ("PRT", (5,), "staff", staff),
    ("EVN", (5,), "staff", staff),
    ("NTE", (5,), "staff", staff),
    ("PRD", (2,), "staff", person),
    ("CTD", (2,), "staff", person),
    ("OBR", (16,), "numbers", staff_ids),
    ("PV1", (7, 8, 9, 17), "numbers", staff_ids),
)
