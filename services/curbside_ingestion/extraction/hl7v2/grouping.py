"""Which segments belong to one report, by their order alone: senders' groups are seldom the standard's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from curbside_ingestion.extraction.found import OversizedDocument
from curbside_ingestion.extraction.hl7v2.observations import Observation
from curbside_ingestion.extraction.hl7v2.segments import Segment

# Of the patient, the visit and the message: they stand for every report after them until the next PID.
_COMMON: Final = (
    "MSH",
    "EVN",
    "PID",
    "PD1",
    "NK1",
    "PV1",
    "PV2",
    "GT1",
    "IN1",
    "IN2",
    "ARV",
    "ROL",
    "PRD",
    "MRG",
)
_OF_ORDER: Final = ("ORC", "SPM", "SAC", "PRT", "CTD")
# Known, and without anything of a report: software, sequence, continuation, timing, visit's other parts.
_SILENT: Final = ("SFT", "UAC", "DSC", "TQ1", "TQ2", "INV", "IN3", "FT1", "CTI", "OBR", "OBX", "NTE", "TXA")
# Segments that stand for every report of a patient, each of which reads them all: the shared have up to 20.
_MOST_COMMON: Final = 500


@dataclass
class Group:
    """A report: its OBR or TXA, its observations, and every segment that says something of it."""

    head: Segment = field(repr=False)
    common: list[Segment] = field(repr=False)
    own: list[Segment] = field(repr=False)
    observations: list[Observation] = field(default_factory=list, repr=False)

    @property
    def segments(self) -> list[Segment]:
        return [*self.common, *self.own]

    def of(self, name: str) -> Segment | None:
        return next((segment for segment in (*self.own, *self.common) if segment.name == name), None)

    def add(self, segment: Segment) -> None:
        self.own.append(segment)
        if segment.name == "OBX":
            self.observations.append(Observation(segment))
        elif segment.name == "NTE":
            last = self.observations.pop() if self.observations else Observation(None)
            self.observations.append(Observation(last.segment, (*last.notes, segment)))


def orders_of(segments: Sequence[Segment]) -> list[Group]:
    """The OBR of a message. What stands between an ORC or SPM and its OBR belongs to that OBR (ORU, OUL^R22);
    an ORC after its OBR to the one before (OUL^R21, R22, R24)."""
    groups: list[Group] = []
    common: list[Segment] = []
    waiting: list[Segment] = []  # of the order that comes
    follows = segments[0].get(9)[:3].upper() == "OUL"
    current: Group | None = None
    for segment in segments:
        name = segment.name
        if name == "PID":
            common = [one for one in common if one.name in ("MSH", "EVN", "ARV")]
            current, waiting = None, []
        if name == "OBR":
            current = Group(segment, list(common), [segment])
            groups.append(current)
            for one in waiting:
                current.add(one)
            waiting = []
        elif name in _COMMON:
            common.append(segment)
            if len(common) > _MOST_COMMON:
                raise OversizedDocument(
                    f"the patient has more than {_MOST_COMMON} segments",
                    field="PID",
                    mend="Send it in parts.",
                )
            if current is not None:
                current.own.append(segment)
        elif name == "ORC" and current is not None and follows and not current.observations:
            current.add(segment)
        elif name == "ORC" or (name in ("SPM", "SAC") and current is None):
            waiting.append(segment)
            if name == "ORC":
                current = None
        elif name in (*_OF_ORDER, "OBX", "NTE"):
            if current is not None:
                current.add(segment)
            elif waiting:
                waiting.append(segment)
    return groups


def documents_of(segments: Sequence[Segment]) -> list[Group]:
    """The TXA of a message. Its ORC and OBR stand before it, and are no reports of their own (9.5.2)."""
    groups: list[Group] = []
    common: list[Segment] = []
    for segment in segments:
        if segment.name == "TXA":
            groups.append(Group(segment, list(common), [segment]))
        elif groups and segment.name in ("OBX", "NTE"):
            groups[-1].add(segment)
        elif segment.name in (*_COMMON, *_OF_ORDER, "OBR", "NTE"):
            common.append(segment)
            if groups:
                groups[-1].own.append(segment)
    return groups


def unread_segments(segments: Iterable[Segment]) -> Counter[str]:
    """How many segments there are that no rule reads, by their name, e.g. Z-segments."""
    read = {*_COMMON, *_OF_ORDER, *_SILENT}
    return Counter(segment.name for segment in segments if segment.name not in read)
