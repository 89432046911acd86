"""The reports of HL7 v2 messages: one per OBR with observations, or per document of TXA."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from curbside.errors import BadInput
from curbside_ingestion.domain.types import OTHER, type_named
from curbside_ingestion.extraction.found import (
    DEFAULT_LIMITS,
    EmptyDocument,
    Extraction,
    Found,
    Limits,
    NoReport,
    Refused,
    UnreadableDocument,
)
from curbside_ingestion.extraction.hl7v2.grouping import Group, documents_of, orders_of, unread_segments
from curbside_ingestion.extraction.hl7v2.identifiers import known_of
from curbside_ingestion.extraction.hl7v2.normalising import messages_of
from curbside_ingestion.extraction.hl7v2.observations import Observed, observe
from curbside_ingestion.extraction.hl7v2.policy import load_policy
from curbside_ingestion.extraction.hl7v2.segments import Segment, segments_of
from curbside_ingestion.extraction.hl7v2.times import iso_of, offset_of

_LONGEST_ID: Final = 200  # characters, as domain/report
_MR: Final = (
    "MR",
    "PI",
    "PT",
    "",
)  # table 0203, best first: medical record number, patient internal, external


def extract(data: bytes, limits: Limits = DEFAULT_LIMITS) -> Extraction:
    """Every report of `data`, a message or a file of them; a bad one never stops those beside it.

    Raises EmptyDocument where no message is there, OversizedDocument where too many are.
    """
    found: list[Found] = []
    refused: list[Refused] = []
    dropped: Counter[str] = Counter()
    for number, message in enumerate(messages_of(data, limits), 1):
        place = f"message {number}"
        try:
            reading = _Reading(segments_of(message, limits), message, place, limits)
            reading.read()
        except BadInput as problem:
            refused.append(Refused(place, problem))
            continue
        found += reading.found
        refused += reading.refused
        dropped += reading.dropped
    return Extraction(tuple(found), tuple(refused), dropped=dict(sorted(dropped.items())))


@dataclass
class _Reading:
    """One message on its way."""

    segments: Sequence[Segment] = field(repr=False)
    message: bytes = field(repr=False)
    place: str
    limits: Limits
    found: list[Found] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)

    def read(self) -> None:
        header, policy = self.segments[0], load_policy()
        kind = header.get(9) or header.get(9, 3)[:3]
        if not kind:
            raise UnreadableDocument(
                "the message does not say its type", field="MSH-9", mend="Fill in MSH-9."
            )
        manner = policy.messages.get(kind.upper())
        if manner is None:
            name = kind.upper() if kind.isascii() and kind.isalnum() and len(kind) == 3 else "of this type"
            raise NoReport(
                f"a message {name} holds no report",
                field="MSH-9",
                mend=f"Send {', '.join(policy.messages)}.",
            )
        self.dropped.update(unread_segments(self.segments))
        if manner == "documents":
            self._documents()
        else:
            self._orders(only_results=manner == "orders")

    def _orders(self, *, only_results: bool) -> None:
        """An OBR with its OBX and NTE is a report (7.3.1 ORDER_OBSERVATION)."""
        groups = orders_of(self.segments)
        if not groups:
            raise NoReport("the message holds no OBR", field="OBR", mend="Send observations under an OBR.")
        numbers = Counter(_order_number(group) for group in groups)
        used: Counter[str] = Counter()
        for position, group in enumerate(groups, 1):
            place = f"{self.place}, OBR {position}"
            if only_results and group.head.get(25).upper() not in load_policy().resulted:
                problem = NoReport(
                    "an order without results holds no report",
                    field="OBR-25",
                    mend="Send its results as ORU.",
                )
                self.refused.append(Refused(place, problem))
                continue
            number = _order_number(group)
            code = group.head.get(4) or group.head.get(4, 4)
            if number and (code or numbers[number] > 1):
                # Always: one test of an order may be corrected in a message of its own.
                number = f"{number}-{code or position}"
            used[number] += 1
            if number and used[number] > 1:
                number = f"{number}-{used[number]}"
            self._report(group, place, number, _order_type(group), self._authored(group, _ORDER_TIMES))

    def _documents(self) -> None:
        """A TXA with its OBX is a report (9.5)."""
        groups = documents_of(self.segments)
        if not groups:
            raise UnreadableDocument(
                "a message MDM without TXA names no document", field="TXA", mend="Send its TXA."
            )
        for position, group in enumerate(groups, 1):
            place = f"{self.place}, TXA {position}" if len(groups) > 1 else self.place
            number = group.head.get(12) or group.head.get(12, 3)
            self._report(group, place, number, _document_type(group), self._authored(group, _DOCUMENT_TIMES))

    def _report(self, group: Group, place: str, number: str, type_: str, authored_at: str) -> None:
        try:
            observed = observe(group.observations, place, self.limits)
        except BadInput as problem:
            self.refused.append(Refused(place, problem))
            return
        self.dropped += observed.dropped
        status = self._status(group)
        retraction = status == "entered-in-error" and not observed.text
        if not _has_words(observed.text) and not retraction:
            # One that could not be read says why; with none there was nothing.
            self.refused += observed.refused or [Refused(place, _empty(group))]
            return
        self.refused += observed.refused
        row: dict[str, object] = {
            "text": _with_title(group, observed) if observed.text else "",
            "external_id": number[:_LONGEST_ID],
            "patient_id": _patient_id(group.of("PID")),
            "type": type_,
            "status": status,
            "authored_at": authored_at,
            "known": known_of(group.segments),
        }
        if retraction:
            row["retraction"] = True
        if self._trigger() in ("T09", "T10") and (parent := group.head.get(13) or group.head.get(13, 3)):
            row["replaces"] = parent[:_LONGEST_ID]
        if exclusions := _exclusions(group.segments):
            row["exclusions"] = exclusions
        kept = {name: value for name, value in row.items() if value or name == "text"}
        self.found.append(Found(place, kept, self.message, observed.quality))

    def _trigger(self) -> str:
        """MSH-9.2, or EVN-1 of versions before 2.3.1; of an MDM alone."""
        if self.segments[0].get(9)[:3].upper() != "MDM":
            return ""
        event = next((segment.get(1) for segment in self.segments if segment.name == "EVN"), "")
        return (self.segments[0].get(9, 2) or event).upper()

    def _status(self, group: Group) -> str:
        policy, head = load_policy(), group.head
        if head.name == "TXA":
            if self._trigger() in policy.cancelling or head.get(19).upper() in policy.unavailable:
                return "entered-in-error"
            if self._trigger() in policy.amending:
                return "amended"
            return policy.completion.get(head.get(17).upper(), "final" if not head.get(17) else "preliminary")
        observed = [one.status for one in group.observations if one.segment is not None]
        if observed and all(status in policy.retracted_observations for status in observed):
            return "entered-in-error"
        said = head.get(25).upper()
        # A report whose result was corrected is a correction, also where its OBR stays at F (7.4.2.11).
        if said in ("F", "") and "C" in observed:
            return "amended"
        if not said:
            return "preliminary" if {"P", "R", "I", "S"} & set(observed) else "final"
        return policy.results.get(said, "preliminary")  # never final unless it says so

    def _authored(self, group: Group, fields: Iterable[tuple[str, int]]) -> str:
        offset = offset_of(self.segments[0].get(7))
        for name, number in fields:
            segment = group.head if group.head.name == name else group.of(name)
            if segment is not None and (moment := iso_of(segment.get(number), offset)):
                return moment
        return ""


_ORDER_TIMES: Final = (("OBR", 22), ("OBR", 7), ("MSH", 7))  # reported, observed, sent
_DOCUMENT_TIMES: Final = (("TXA", 4), ("TXA", 6), ("MSH", 7))  # of the activity, of its origination, sent


def _empty(group: Group) -> BadInput:
    if group.head.name == "TXA":
        return EmptyDocument(
            "the document's message brings no content", field="OBX-5", mend="Send T02, T04, T06, T08 or T10."
        )
    return EmptyDocument(
        "the OBR has no observation with a text or value", field="OBX-5", mend="Send its results."
    )


def _has_words(text: str) -> bool:
    return any(character.isalnum() for character in text)


def _with_title(group: Group, observed: Observed) -> str:
    """The text under the examination's name (OBR-4), why it was made (OBR-31) and what was known (OBR-13)."""
    if group.head.name != "OBR":
        return observed.text
    head, lines = group.head, []
    name = head.get(4, 2) or head.get(4, 5)
    if name and name.casefold() not in observed.text.casefold():
        lines.append(f"EXAMINATION: {name}")
    reasons = [value.get(2) or value.get(1) or value.get(5) for value in head.values(31)]
    for label, text in (
        ("CLINICAL INFORMATION", head.text(13).strip()),
        ("INDICATION", "; ".join(reason for reason in reasons if reason)),
    ):
        if text and text.casefold() not in observed.text.casefold():
            lines.append(f"{label}: {text}")
    return "\n".join((*lines, observed.text))


def _order_number(group: Group) -> str:
    """The filler's number, which the performer keeps through corrections; else the placer's."""
    order = group.of("ORC")
    for number in (3, 2):
        for segment in (group.head, order):
            if segment is not None and (text := segment.get(number) or segment.get(number, 3)):
                return text
    return ""


def _order_type(group: Group) -> str:
    """OBR-24 (table 0074) where types.yaml knows it, else the examination's name; what was done on a specimen
    and has no better name is a laboratory's."""
    head = group.head
    name = head.get(4, 2) or head.get(4, 5) or head.get(4)
    for text in (head.get(24), name):
        if text and type_named(text) != OTHER:
            return text
    return "laboratory" if group.of("SPM") else name


def _document_type(group: Group) -> str:
    """TXA-2 (table 0270), else its text, else the examination's name."""
    kind, documents = group.head.first(2), load_policy().documents
    order = group.of("OBR")
    text = kind.get(2) or (order.get(4, 2) if order else "") or kind.get(1)
    return documents.get(kind.get(1).upper()) or text


def _patient_id(patient: Segment | None) -> str:
    """PID-3: the medical record number, else the first identifier; else PID-2, of versions before 2.3."""
    if patient is None:
        return ""
    values = [value for value in patient.values(3) if value.get(1)]
    values.sort(key=lambda value: _MR.index(value.get(5)) if value.get(5) in _MR else len(_MR))
    return (values[0].get(1) if values else patient.get(2))[:_LONGEST_ID]


def _exclusions(segments: Iterable[Segment]) -> list[str]:
    """Why the report is kept out of training, by the standard's codes alone (policy.yaml)."""
    reasons: dict[str, None] = {}
    for segment in segments:
        if segment.name == "ARV" and segment.get(2).upper() == "D":  # table 0206: the restriction is lifted
            continue
        for place, codes in load_policy().exclusions.items():
            name, _, number = place.partition("-")
            if segment.name == name:
                for value in segment.values(int(number)):
                    if reason := codes.get(value.get(1)):
                        reasons[reason] = None
    return list(reasons)
