"""How reports become durable: originals and texts first, then record, receipt, audit and event as one."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final

from curbside.contracts.events import Event, new_event
from curbside.contracts.v1 import events_pb2
from curbside.errors import Conflict, CurbsideError
from curbside.phi import PhiText
from curbside.storage.blobs import BlobRef, BlobStore
from curbside.storage.database import Database
from curbside.storage.keys import KeyRing, nonces
from curbside.storage.writing import Writing
from curbside.storage.zones import Zone
from curbside_ingestion import store
from curbside_ingestion.arriving import Arrival, document_of, identities_of
from curbside_ingestion.domain.consents import Recorded
from curbside_ingestion.domain.report import Submission
from curbside_ingestion.domain.revisions import Admission, Displaced, ReportStatus, Revision, admit, replaced
from curbside_ingestion.domain.states import ReportState
from curbside_ingestion.sealing import AUTHORED_AT, EXTERNAL_ID, SAID, sealed
from curbside_ingestion.together import barred
from curbside_ingestion.waiting import store as extractions

_STATUSES: Final = MappingProxyType(
    {
        ReportStatus.FINAL: events_pb2.REPORT_STATUS_FINAL,
        ReportStatus.PRELIMINARY: events_pb2.REPORT_STATUS_PRELIMINARY,
        ReportStatus.AMENDED: events_pb2.REPORT_STATUS_AMENDED,
        ReportStatus.ENTERED_IN_ERROR: events_pb2.REPORT_STATUS_ENTERED_IN_ERROR,
    }
)
_ATTEMPTS: Final = 3
_SEALED: Final = 2  # values of a record
_AT_ONCE: Final = "the same report is being received by another request"
_Revisions = dict[tuple[str, str], list[Revision]]  # by tenant and identity, oldest first


@dataclass(frozen=True, slots=True)
class Taken:
    """A consent that is durable: whether it was not before, whether its patient's reports are kept from
    training now, and whether there are any under this patient's id."""

    consent: Recorded
    is_new: bool
    barred: bool
    patient_known: bool


@dataclass(frozen=True, slots=True)
class Accepted:
    """A report that is durable; or, with `taken`, a consent, and then no report."""

    row: int
    report_id: str
    state: ReportState
    external_id: PhiText | None
    type: str
    taken: Taken | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    row: int
    problem: CurbsideError


@dataclass(frozen=True)
class _Staged:
    """An arrival whose original is durable, and its text where there is one already."""

    arrival: Arrival
    original: BlobRef
    text: BlobRef | None


class Intake:
    """`take_in`, where groups that touch the same reports go one after another: of two posts of one report at
    once, the second finds the first there and writes nothing."""

    def __init__(self, database: Database, blobs: BlobStore, ring: KeyRing) -> None:
        self._database = database
        self._blobs = blobs
        self._ring = ring
        self._in_hand: dict[tuple[str, str], asyncio.Event] = {}  # by tenant and identity

    async def __call__(self, arrivals: Sequence[Arrival]) -> list[Accepted | Refused]:
        touched = {(one.principal.tenant, name) for one in arrivals for name in identities_of(one)}
        while others := [self._in_hand[one] for one in self._in_hand.keys() & touched]:
            await others[0].wait()
        ended = asyncio.Event()
        self._in_hand |= dict.fromkeys(touched, ended)
        try:
            return await take_in(arrivals, database=self._database, blobs=self._blobs, ring=self._ring)
        finally:
            for one in touched:
                del self._in_hand[one]
            ended.set()


async def take_in(
    arrivals: Sequence[Arrival], *, database: Database, blobs: BlobStore, ring: KeyRing
) -> list[Accepted | Refused]:
    """Make `arrivals` durable together, and return what became of each, in their order.

    Raises Unavailable or StorageFull having taken in none.
    """
    # What is there already need not be written first.
    there = await database.look(lambda connection: _revisions(connection, arrivals))
    refused: dict[str, Refused] = {}
    kept_out = _kept_out(arrivals, there)
    for arrival in arrivals:
        admission = kept_out.get(arrival.report_id) or _admission(arrival, there)
        if isinstance(admission, Refused):
            refused[arrival.report_id] = admission
        else:
            _note(arrival, admission, there)
    staged = await _stage([arrival for arrival in arrivals if arrival.report_id not in refused], blobs)
    if not staged:
        return [refused[arrival.report_id] for arrival in arrivals]
    turns = {name for one in arrivals for name in identities_of(one)}
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            outcomes = await database.transact(
                lambda writing: _accept(arrivals, staged, writing, ring), *turns
            )
        except store.RevisionTaken:
            if attempt == _ATTEMPTS:
                raise
        else:
            await _discard(arrivals, outcomes, staged, blobs)
            return outcomes
    raise AssertionError("a last attempt returns or raises")


async def _stage(arrivals: Sequence[Arrival], blobs: BlobStore) -> dict[str, _Staged]:
    """Make the originals and texts durable, before any record points to them. By the ids of reports."""
    by_tenant: dict[str, list[Arrival]] = defaultdict(list)
    for arrival in arrivals:
        by_tenant[arrival.principal.tenant].append(arrival)
    staged: dict[str, _Staged] = {}
    for tenant, of_tenant in by_tenant.items():
        contents = [
            (arrival.subject, content)
            for arrival in of_tenant
            for content in (arrival.good.original, document_of(arrival.submission))
            if content is not None
        ]
        refs = iter(await blobs.put_many(Zone.PHI, contents, tenant=tenant))
        for arrival in of_tenant:
            original, texts = next(refs), bool(len(arrival.submission.text))
            staged[arrival.report_id] = _Staged(arrival, original, next(refs) if texts else None)
    return staged


async def _discard(
    arrivals: Sequence[Arrival],
    outcomes: Sequence[Accepted | Refused],
    staged: Mapping[str, _Staged],
    blobs: BlobStore,
) -> None:
    """Remove what was written for nothing: of a whole pack all came by another group at the same moment."""
    named = {
        arrival.principal.tenant
        for arrival, outcome in zip(arrivals, outcomes, strict=True)
        if isinstance(outcome, Accepted)
    }
    packs = {one.original.tenant: one.original for one in staged.values()}
    for tenant, original in packs.items():
        if tenant not in named:
            with suppress(CurbsideError):  # what stays is sealed, and named by no record
                await blobs.discard(original)


def _accept(
    arrivals: Sequence[Arrival], staged: Mapping[str, _Staged], writing: Writing, ring: KeyRing
) -> list[Accepted | Refused]:
    """Record, audit and announce. For what is there by now nothing is done, and it comes back as Refused."""
    now = datetime.now(UTC)
    there = _revisions(writing.connection, arrivals, lock=True)
    outcomes: dict[str, Accepted | Refused] = {}
    new: list[store.NewReport] = []
    happened: list[Event] = []
    waiting: list[extractions.NewExtraction] = []
    kept_out = _kept_out(arrivals, there, staged)
    drawn = nonces(_SEALED * len(arrivals))
    for arrival in arrivals:
        submission = arrival.submission
        admission = kept_out.get(arrival.report_id) or _admission(arrival, there)
        if isinstance(admission, Refused):
            outcomes[arrival.report_id] = admission
            continue
        one = staged.get(arrival.report_id)
        if one is None:  # what it was a copy of was refused meanwhile, by what another process brought
            outcomes[arrival.report_id] = Refused(arrival.good.row, _at_once())
            continue
        _note(arrival, admission, there)
        for displaced in (*admission.displaced, *_replaced(arrival, there)):
            # What this group brings itself must be there before it can be moved.
            store.add_reports(writing, new)
            writing.publish(*happened)
            new, happened = [], []
            _displace(displaced, arrival, now, writing)
        new.append(_record(one, admission, now, ring, drawn))
        outcomes[arrival.report_id] = Accepted(
            arrival.good.row, arrival.report_id, admission.state, submission.external_id, submission.type
        )
        if one.text is not None:
            happened.append(received(arrival.report_id, submission, one.original, one.text, now))
        elif arrival.good.waits_as is not None:
            said = sealed(SAID, PhiText(json.dumps(submission.to_row())), *_of(arrival), ring)
            assert said is not None
            waiting.append(extractions.NewExtraction(arrival.report_id, arrival.good.waits_as.value, said))
        _note_act(one, writing)
    writing.publish(*happened)
    store.add_reports(writing, new)
    extractions.add(writing, waiting)
    return [outcomes[arrival.report_id] for arrival in arrivals]


def _kept_out(
    arrivals: Sequence[Arrival], there: _Revisions, staged: Mapping[str, _Staged] | None = None
) -> dict[str, Refused]:
    """Those of units that cannot be taken in whole."""

    def enter(arrival: Arrival, there: _Revisions) -> CurbsideError | None:
        admission = _admission(arrival, there)
        if isinstance(admission, Refused):
            return admission.problem
        if staged is not None and arrival.report_id not in staged:
            return _at_once()
        _note(arrival, admission, there)
        _replaced(arrival, there)
        return None

    problems = barred(arrivals, there, enter)
    return {
        arrival.report_id: Refused(arrival.good.row, problems[arrival.report_id])
        for arrival in arrivals
        if arrival.report_id in problems
    }


def _at_once() -> CurbsideError:
    return store.RevisionTaken(_AT_ONCE, field="external_id", mend="Send it again.")


def _admission(arrival: Arrival, there: _Revisions) -> Admission | Refused:
    """How `arrival` enters beside what is `there`."""
    earlier = there[arrival.principal.tenant, arrival.identity]
    try:
        return admit(earlier, arrival.submission.status, arrival.fingerprint)
    except Conflict as problem:
        return Refused(arrival.good.row, problem)


def _note(arrival: Arrival, admission: Admission, there: _Revisions) -> None:
    """Let those that come after `arrival` see it, and what it displaced."""
    earlier = there[arrival.principal.tenant, arrival.identity]
    if gone := {displaced.report_id: displaced.state for displaced in admission.displaced}:
        earlier[:] = [replace(one, state=gone.get(one.report_id, one.state)) for one in earlier]
    status, fingerprint = arrival.submission.status, arrival.fingerprint
    earlier.append(Revision(arrival.report_id, admission.number, status, fingerprint, admission.state))


def _displace(displaced: Displaced, by: Arrival, now: datetime, writing: Writing) -> None:
    tenant, report_id, state = by.principal.tenant, displaced.report_id, displaced.state
    subject = store.move(writing, store.Step(report_id, state, now, displaced.reason))
    happened = events_pb2.ReportDisplaced(report_id=report_id, state=state.value, displaced_by=by.report_id)
    writing.publish(new_event(happened, tenant=tenant, subject=subject, occurred_at=now))
    writing.record(
        actor=by.principal.id,
        tenant=tenant,
        action=f"report.{state}",
        target=report_id,
        details={"by": by.report_id},
    )


def received(
    report_id: str, submission: Submission, original: BlobRef, text: BlobRef, now: datetime
) -> Event:
    """That the report is there with its text, for whoever de-identifies it."""
    happened = events_pb2.ReportReceived(
        report_id=report_id,
        original=original.to_message(),
        text=text.to_message(),
        report_type=submission.type,
        source=submission.source,
        status=_STATUSES[submission.status],
        exclusions=submission.exclusions,
    )
    return new_event(happened, tenant=original.tenant, subject=original.subject, occurred_at=now)


def _note_act(one: _Staged, writing: Writing) -> None:
    arrival, submission = one.arrival, one.arrival.submission
    writing.record(
        actor=arrival.principal.id,
        tenant=arrival.principal.tenant,
        action="report.received",
        target=arrival.report_id,
        details={
            "source": submission.source,
            "status": submission.status.value,
            "bytes": one.original.size,
            "original": one.original.keyed_hash,
        },
    )


def _record(
    one: _Staged, admission: Admission, now: datetime, ring: KeyRing, drawn: Iterator[bytes]
) -> store.NewReport:
    arrival, submission = one.arrival, one.arrival.submission
    tenant, report_id = arrival.principal.tenant, arrival.report_id
    return store.NewReport(
        report_id=report_id,
        tenant=tenant,
        source=submission.source,
        identity=arrival.identity,
        revision=admission.number,
        fingerprint=arrival.fingerprint,
        subject=arrival.subject,
        external_id=sealed(EXTERNAL_ID, submission.external_id, tenant, report_id, ring, next(drawn)),
        type=submission.type,
        status=submission.status,
        authored_at=sealed(AUTHORED_AT, submission.authored_at, tenant, report_id, ring, next(drawn)),
        media_type=arrival.media_type,
        exclusions=submission.exclusions,
        original=one.original,
        text=one.text,
        quality=asdict(arrival.good.quality) if arrival.good.quality is not None else None,
        state=admission.state,
        reason=admission.reason,
        received_at=now,
    )


def _revisions(connection: store.Blocking, arrivals: Iterable[Arrival], *, lock: bool = False) -> _Revisions:
    """What is there under the identities of `arrivals`, oldest first, by tenant and identity."""
    wanted: dict[str, set[str]] = defaultdict(set)
    for arrival in arrivals:
        wanted[arrival.principal.tenant].update(identities_of(arrival))
    there: _Revisions = {}
    for tenant in sorted(wanted):
        found = store.revisions(connection, tenant, wanted[tenant], lock=lock)
        there |= {(tenant, identity): found.get(identity, []) for identity in wanted[tenant]}
    return there


def _replaced(arrival: Arrival, there: _Revisions) -> tuple[Displaced, ...]:
    """What `arrival` supersedes under another identity, which is noted in `there`."""
    if arrival.replaces is None:
        return ()
    earlier = there[arrival.principal.tenant, arrival.replaces]
    gone = replaced(earlier)
    states = {displaced.report_id: displaced.state for displaced in gone}
    earlier[:] = [replace(one, state=states.get(one.report_id, one.state)) for one in earlier]
    return gone


def _of(arrival: Arrival) -> tuple[str, str]:
    return arrival.principal.tenant, arrival.report_id
