"""What an ingestion has stored and published, and what of it is not as it was acknowledged."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from curbside.bus.embedded import EmbeddedBus
from curbside.contracts.events import Event, decode
from curbside.contracts.v1 import events_pb2
from curbside.errors import CurbsideError
from curbside.runtime.platform import key_ring, open_bus, open_objects, open_platform
from curbside.runtime.services import Platform, load_package
from curbside.settings import RuntimeSettings
from curbside.storage.blobs import BlobRef
from curbside.storage.zones import Zone
from curbside.testing.intake.posts import Paper, fingerprint

_PAGE: Final = 2_000  # records of the log, or blobs, at a time


@dataclass(frozen=True)
class Stored:
    """A row of `reports` with what it points to: its original's fingerprint, its text as it lies there."""

    state: str
    reason: str
    original: str
    text: bytes | None
    received_at: Any


@dataclass(frozen=True)
class Evidence:
    reports: Mapping[str, Stored]
    receipts: Mapping[str, Any]  # id → received at
    history: Mapping[str, Sequence[tuple[str, Any]]]
    acts: Mapping[tuple[str, str], int]  # by action and target
    events: Sequence[Event]  # each once, in the order in which it came first
    records: int  # of the log, those that came again among them
    waiting: int  # rows of outbox and extractions
    unreadable: Sequence[str]
    broken_audit: str
    leftovers: Sequence[str]  # names of blobs that no record points to
    scratch: int  # half-written files

    def faults(self, papers: Sequence[Paper], order: Iterable[Sequence[Paper]]) -> list[str]:
        """What is not as it was acknowledged; `order` are the reports of each patient as they were
        acknowledged one after another."""
        return [
            *self.unreadable,
            *([f"the audit is broken: {self.broken_audit}"] if self.broken_audit else []),
            *([f"{self.waiting} rows still wait"] if self.waiting else []),
            *self._record_faults(),
            *self._paper_faults(papers),
            *self._event_faults(papers),
            *self._order_faults(order),
        ]

    def _record_faults(self) -> Iterator[str]:
        """What the tables say of each other."""
        yield from _differ("receipts", self.receipts, self.reports)
        yield from _differ("history", self.history, self.reports)
        for report_id, stored in self.reports.items():
            moments = self.history.get(report_id, [("", None)])
            if moments[-1][0] != stored.state:
                yield f"{report_id} is {stored.state} after {moments}"
            if not moments[0][1] == stored.received_at == self.receipts.get(report_id):
                yield f"{report_id} was received at several times"
        received = {target for action, target in self.acts if action == "report.received"}
        yield from _differ("acts of receiving", received, self.reports)
        for (action, target), count in self.acts.items():
            if action in ("report.received", "report.extracted", "report.rejected") and count > 1:
                yield f"{action} of {target} {count} times"

    def _paper_faults(self, papers: Sequence[Paper]) -> Iterator[str]:
        """What was acknowledged is stored once, and nothing else is."""
        by_original: dict[str, list[str]] = defaultdict(list)
        for report_id, stored in self.reports.items():
            by_original[stored.original].append(report_id)
        wanted = {paper.stored for paper in papers}
        yield from _differ("originals", by_original, wanted)
        for paper in papers:
            found = by_original.get(paper.stored, [])
            if len(found) != 1:
                yield f"{paper.report_id or 'a report'} is stored {len(found)} times: {found}"
                continue
            (report_id,) = found
            if paper.report_id not in ("", report_id):
                yield f"{paper.report_id} was acknowledged, and is stored as {report_id}"
            paper.report_id = report_id
            stored = self.reports[report_id]
            states = [state for state, _ in self.history.get(report_id, [])]
            if states != paper.states:
                yield f"{report_id} went through {states} ({stored.reason}) instead of {paper.states}"
            if (stored.text is None) != (not paper.words):
                yield f"{report_id} has {'no' if stored.text is None else 'a'} text"
            elif stored.text is not None and paper.words.split()[0].encode() not in stored.text:
                yield f"{report_id} has another report's text"

    def _event_faults(self, papers: Sequence[Paper]) -> Iterator[str]:
        received: Counter[str] = Counter()
        displaced: dict[str, list[str]] = defaultdict(list)
        for event in self.events:
            match event.payload:
                case events_pb2.ReportReceived() as payload:
                    received[payload.report_id] += 1
                case events_pb2.ReportDisplaced() as payload:
                    displaced[payload.report_id].append(payload.state)
        yield from _differ("events", received, [paper.report_id for paper in papers if paper.words])
        yield from (f"{name} was announced {count} times" for name, count in received.items() if count > 1)
        moved = {paper.report_id: paper.states[1:] for paper in papers if paper.states[1:]}
        for report_id in {*moved, *displaced}:
            if displaced.get(report_id, []) != moved.get(report_id, []):
                yield f"{report_id} was displaced by events as {displaced.get(report_id)}"

    def _order_faults(self, order: Iterable[Sequence[Paper]]) -> Iterator[str]:
        """A patient's reports, and by themselves those of them that waited for their texts, are announced in
        the order in which they were acknowledged."""
        place: dict[str, int] = {}
        for number, event in enumerate(self.events):
            if isinstance(event.payload, events_pb2.ReportReceived):
                place.setdefault(event.payload.report_id, number)
        for of_patient in order:
            for waits in (False, True):
                ids = [paper.report_id for paper in of_patient if paper.words and paper.waits is waits]
                places = [place[report_id] for report_id in ids if report_id in place]
                if places != sorted(places):
                    yield f"the reports of a patient were announced in another order: {ids}"


async def still_waiting(settings: RuntimeSettings) -> int:
    """How many events wait to be published and documents to be read."""
    platform, bus = _open(settings)
    try:
        async with platform.database.read() as session:
            return await _waiting(session, platform)
    finally:
        await platform.database.close()
        await bus.close()


async def collect(settings: RuntimeSettings) -> Evidence:
    """Everything that the ingestion of `settings`, with the embedded log, has done so far."""
    platform, bus = _open(settings)
    try:
        return await _collect(settings, platform, bus)
    finally:
        await platform.database.close()
        await bus.close()


def _open(settings: RuntimeSettings) -> tuple[Platform, EmbeddedBus]:
    bus = open_bus(settings)
    assert isinstance(bus, EmbeddedBus)
    return open_platform(settings, load_package("ingestion"), bus=bus, ring=key_ring(settings)), bus


async def _collect(settings: RuntimeSettings, platform: Platform, bus: EmbeddedBus) -> Evidence:
    tables = platform.database.metadata.tables
    async with platform.database.read() as session:
        rows, receipts, acts = [
            (await session.execute(tables[name].select())).all() for name in ("reports", "receipts", "audit")
        ]
        history_id = tables["history"].c.id
        moments = (await session.execute(tables["history"].select().order_by(history_id))).all()
        waiting = await _waiting(session, platform)
    _, broken = await platform.database.verify_audit()
    refs = [BlobRef.from_json(ref) for row in rows for ref in (row.original, row.text) if ref is not None]
    contents, unreadable = await _contents(platform, refs)
    events, records = await _events(bus)
    history: dict[str, list[tuple[str, Any]]] = defaultdict(list)
    for moment in moments:
        history[moment.report_id].append((moment.state, moment.at))
    reports = {
        row.report_id: Stored(
            row.state,
            row.reason,
            fingerprint(contents.get(row.original["blob_id"], b"")),
            None if row.text is None else contents.get(row.text["blob_id"], b""),
            row.received_at,
        )
        for row in rows
    }
    named = {_object_of(ref) for ref in refs}
    return Evidence(
        reports,
        {row.report_id: row.received_at for row in receipts},
        history,
        Counter((act.action, act.target) for act in acts),
        events,
        records,
        waiting,
        unreadable,
        broken.reason if broken else "",
        [name for name in open_objects(settings).names(f"{Zone.PHI.value}/") if name not in named],
        sum(1 for _ in (settings.data / "blobs").rglob("*.part")),
    )


async def _waiting(session: Any, platform: Platform) -> int:
    tables = platform.database.metadata.tables
    waiting = [(await session.execute(tables[name].select())).all() for name in ("outbox", "extractions")]
    return sum(map(len, waiting))


async def _contents(platform: Platform, refs: Sequence[BlobRef]) -> tuple[dict[str, bytes], list[str]]:
    found: dict[str, bytes] = {}
    unreadable = []
    for start in range(0, len(refs), _PAGE):
        page = refs[start : start + _PAGE]
        answers = await asyncio.gather(*(platform.blobs.get(ref) for ref in page), return_exceptions=True)
        for ref, answer in zip(page, answers, strict=True):
            if isinstance(answer, CurbsideError):
                unreadable.append(f"{ref.blob_id}: {answer.code}")
            elif isinstance(answer, BaseException):
                raise answer
            else:
                found[ref.blob_id] = answer
    return found, unreadable


async def _events(bus: EmbeddedBus) -> tuple[list[Event], int]:
    """Every event of the log once, in the order in which it came first, and how many records there are."""
    events: dict[str, Event] = {}
    position = records = 0
    while page := await bus.stored(position, _PAGE):
        position = page[-1][0]
        records += len(page)
        for _, record in page:
            event = decode(record.value)
            events.setdefault(event.event_id, event)
    return [*events.values()], records


def _object_of(ref: BlobRef) -> str:
    """The name of the object in which the blob lies: a pack's where its id has three parts."""
    pack, *parts = ref.blob_id.split("-")
    where = f"packs/{pack}" if parts else f"{ref.subject}/{ref.blob_id}"
    return f"{ref.zone.value}/{ref.tenant}/{where}"


def _differ(what: str, found: Iterable[str], wanted: Iterable[str]) -> Iterator[str]:
    found, wanted = set(found), set(wanted)
    if missing := sorted(wanted - found):
        yield f"{what}: {len(missing)} missing, the first {missing[:3]}"
    if more := sorted(found - wanted):
        yield f"{what}: {len(more)} too many, the first {more[:3]}"
