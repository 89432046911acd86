"""One message as segments whose fields are read by number, as the standard counts them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import hl7

from curbside_ingestion.extraction.found import Limits, OversizedDocument, UnreadableDocument
from curbside_ingestion.extraction.hl7v2.charsets import text_of
from curbside_ingestion.extraction.hl7v2.escapes import Delimiters

# Pieces of one message: python-hl7 makes objects of some 600 bytes of each. The shared ones have up to 4,000.
_MOST_PIECES: Final = 400_000


@dataclass(frozen=True)
class Value:
    """One repetition of a field: its components, and their sub-components."""

    parts: tuple[tuple[str, ...], ...] = field(repr=False)
    delimiters: Delimiters = field(repr=False)

    def get(self, component: int = 1, sub: int = 1) -> str:
        """Without escapes and the white space around it; empty where absent or the null `""` (2.5.3)."""
        return _clean(self.raw(component, sub), self.delimiters)

    def whole(self, component: int) -> str:
        """A component with its sub-components, where a text holds an `&` that was not escaped."""
        subs = self.parts[component - 1] if component <= len(self.parts) else ()
        return _clean(self.delimiters.subcomponent.join(subs), self.delimiters)

    def raw(self, component: int = 1, sub: int = 1) -> str:
        subs = self.parts[component - 1] if component <= len(self.parts) else ()
        return subs[sub - 1] if sub <= len(subs) else ""

    def __len__(self) -> int:
        return len(self.parts)


@dataclass(frozen=True)
class Segment:
    name: str
    fields: Any = field(repr=False)  # hl7.Segment, which has no types
    delimiters: Delimiters = field(repr=False)

    def raw(self, number: int) -> str:
        """The whole field as it was sent."""
        return str(self.fields[number]) if number < len(self.fields) else ""

    def text(self, number: int) -> str:
        """The whole field without escapes; separators that a sender did not escape stay, and
        repetitions are lines (2.A.78 TX: they are paragraphs)."""
        if self.raw(number).strip() == '""':
            return ""
        lines = self.raw(number).split(self.delimiters.repetition)
        return "\n".join(self.delimiters.unescape(line) for line in lines)

    def values(self, number: int) -> Iterator[Value]:
        if number < len(self.fields):
            for repetition in self.fields[number]:
                yield Value(_parts(repetition), self.delimiters)

    def first(self, number: int) -> Value:
        return next(self.values(number), Value((), self.delimiters))

    def get(self, number: int, component: int = 1, sub: int = 1) -> str:
        return self.first(number).get(component, sub)


def segments_of(message: bytes, limits: Limits) -> list[Segment]:
    """The segments of one message that `normalising` made. Raises UnreadableDocument, or another BadInput."""
    text = text_of(message)
    if "\x00" in text:
        raise UnreadableDocument("the message holds NUL", field="MSH", mend="Send text in UTF-8.")
    delimiters = delimiters_of(text[: text.find("\r")])
    pieces = sum(
        text.count(mark)
        for mark in (delimiters.field, delimiters.component, delimiters.repetition, delimiters.subcomponent)
    )
    if pieces > _MOST_PIECES:
        raise OversizedDocument(
            f"the message has more than {_MOST_PIECES} fields and components",
            field="MSH",
            mend="Send it in parts.",
        )
    try:
        parsed: Any = hl7.parse(text)
    except (hl7.HL7Exception, AssertionError, IndexError, KeyError, ValueError):
        raise UnreadableDocument(
            "the message is not built as HL7 v2 is", field="MSH", mend="Send ER7 with CR between segments."
        ) from None
    return [Segment(str(fields[0]), fields, delimiters) for fields in parsed if str(fields[0])]


def delimiters_of(header: str) -> Delimiters:
    """MSH-1 and MSH-2, which must be marks, each another; those not given are the standard's (2.5.4)."""
    separator = header[3:4]
    given = header[4:].partition(separator)[0] if separator else ""
    marks = list(given) + list("^~\\&")[len(given) :]
    used = (separator, *marks)
    if (
        not given
        or len(given) > 5
        or any(mark.isalnum() or mark.isspace() or not mark.isprintable() for mark in used)
        or len(set(used)) != len(used)
    ):
        raise UnreadableDocument(
            "MSH-1 and MSH-2 do not name the separators", field="MSH-2", mend="Begin with MSH|^~\\&|."
        )
    component, repetition, escape, subcomponent, *truncation = marks
    return Delimiters(separator, component, repetition, escape, subcomponent, "".join(truncation))


def _parts(repetition: Any) -> tuple[tuple[str, ...], ...]:
    if isinstance(repetition, str):
        return ((repetition,),)
    return tuple(
        (component,) if isinstance(component, str) else tuple(str(sub) for sub in component)
        for component in repetition
    )


def _clean(raw: str, delimiters: Delimiters) -> str:
    text = delimiters.unescape(raw).strip()
    return "" if text == '""' else text
