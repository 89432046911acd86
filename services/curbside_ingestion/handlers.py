"""Ingestion's commands: receive reports, follow what becomes of them, show them."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final

from prometheus_client import Counter

from curbside.contracts.codec import PhiDocument, to_bytes
from curbside.contracts.events import Event, new_event
from curbside.contracts.v1 import events_pb2
from curbside.errors import Conflict, CurbsideError, Unavailable
from curbside.identity.principal import Principal
from curbside.phi import PhiText
from curbside.storage.blobs import BlobRef, BlobStore
from curbside.storage.database import Database, Transaction
from curbside.storage.keys import KeyRing, seal, unseal
from curbside.storage.zones import Zone
from curbside_ingestion import store
from curbside_ingestion.domain.problems import UnknownReport
from curbside_ingestion.domain.report import Submission
from curbside_ingestion.domain.revisions import ReportStatus, admit
from curbside_ingestion.domain.rows import Format, GoodRow
from curbside_ingestion.domain.states import ReportState, may_become

log = logging.getLogger(__name__)

RECEIVED = Counter(
    "curbside_ingestion_received_reports",
    "Reports that came in, by outcome: accepted, or the code of the problem.",
    ["outcome"],
)
_STATUSES: Final = MappingProxyType(
    {
        ReportStatus.FINAL: events_pb2.REPORT_STATUS_FINAL,
        ReportStatus.PRELIMINARY: events_pb2.REPORT_STATUS_PRELIMINARY,
        ReportStatus.AMENDED: events_pb2.REPORT_STATUS_AMENDED,
        ReportStatus.ENTERED_IN_ERROR: events_pb2.REPORT_STATUS_ENTERED_IN_ERROR,
    }
)
# Reports per transaction of a batch: long enough to share one commit, short enough for others to write.
_CHUNK: Final = 50
_WRITERS: Final = 4  # blobs written side by side; more only queue for the disk
_ATTEMPTS: Final = 3


@dataclass(frozen=True, slots=True)
class Accepted:
    row: int
    report_id: str
    state: ReportState
    external_id: PhiText | None
    type: str


@dataclass(frozen=True, slots=True)
class Refused:
    row: int
    problem: CurbsideError


@dataclass(frozen=True, slots=True)
class ShownReport:
    report: store.StoredReport
    external_id: PhiText | None
    authored_at: PhiText | None
    history: Sequence[store.Moment] = ()


@dataclass(frozen=True, slots=True)
class ReportLedger:
    received: int
    states: dict[ReportState, int]
    whole: bool


@dataclass(frozen=True, slots=True)
class Move:
    """Where `event` says that a report is now."""

    event: Event
    report_id: str
    state: ReportState
    reason: str


@dataclass(frozen=True)
class _Draft:
    """A row with its keyed hashes: what tells one report, and one patient, from another."""

    good: GoodRow
    report_id: str
    subject: str
    identity: str
    fingerprint: str

    @property
    def submission(self) -> Submission:
        return self.good.submission


async def receive_reports(
    rows: Sequence[GoodRow],
    format: Format,
    principal: Principal,
    *,
    database: Database,
    blobs: BlobStore,
    ring: KeyRing,
) -> list[Accepted | Refused]:
    """Take in `rows`; what comes back as Accepted is durable with its record, audit and event.

    When storage gives out midway, the rows that were not taken in come back as Refused.
    """
    outcomes: list[Accepted | Refused] = []
    for start in range(0, len(rows), _CHUNK):
        drafts = [_draft(row, principal.tenant, ring) for row in rows[start : start + _CHUNK]]
        try:
            await blobs.check_space()
            outcomes += await _receive(drafts, format, principal, database, blobs, ring)
        except Unavailable as problem:
            outcomes += [Refused(row.row, problem) for row in rows[start:]]
            break
    for outcome in outcomes:
        RECEIVED.labels(outcome="accepted" if isinstance(outcome, Accepted) else outcome.problem.code).inc()
    return outcomes


async def _receive(
    drafts: Sequence[_Draft],
    format: Format,
    principal: Principal,
    database: Database,
    blobs: BlobStore,
    ring: KeyRing,
) -> list[Accepted | Refused]:
    refused: dict[str, Refused] = {}
    async with database.read() as session:  # what is there already need not be written first
        for draft in drafts:
            earlier = await store.revisions(session, principal.tenant, draft.identity)
            try:
                admit(earlier, draft.submission.status, draft.fingerprint)
            except Conflict as problem:
                refused[draft.report_id] = Refused(draft.good.row, problem)
    staged = await _stage(
        [draft for draft in drafts if draft.report_id not in refused], principal.tenant, blobs
    )
    for attempt in range(1, _ATTEMPTS + 1):
        outcomes: dict[str, Accepted | Refused] = {}
        try:
            async with database.begin(*(draft.identity for draft, _, _ in staged)) as transaction:
                await store.lock_revisions(
                    transaction.session, principal.tenant, {draft.identity for draft, _, _ in staged}
                )
                for draft, original, text in staged:
                    try:
                        outcomes[draft.report_id] = await _accept(
                            draft, original, text, format, principal, transaction, ring
                        )
                    except Conflict as problem:
                        outcomes[draft.report_id] = Refused(draft.good.row, problem)
            break
        except store.RevisionTaken:
            if attempt == _ATTEMPTS:
                raise
    # Only after a commit that did not keep them: had it failed, it might have succeeded unheard.
    for draft, original, text in staged:
        if isinstance(outcomes[draft.report_id], Refused):
            await asyncio.gather(blobs.delete(original), blobs.delete(text))
    return [(refused | outcomes)[draft.report_id] for draft in drafts]


async def _stage(
    drafts: Sequence[_Draft], tenant: str, blobs: BlobStore
) -> list[tuple[_Draft, BlobRef, BlobRef]]:
    """Make the originals and texts durable, before any record points to them."""
    writers = asyncio.Semaphore(_WRITERS)

    async def stage(draft: _Draft) -> tuple[_Draft, BlobRef, BlobRef]:
        submission = draft.submission
        document = PhiDocument(submission.text, submission.known_with_ids(), submission.authored_at)
        async with writers:
            original = await blobs.put(Zone.PHI, draft.good.original, tenant=tenant, subject=draft.subject)
            text = await blobs.put(Zone.PHI, to_bytes(document), tenant=tenant, subject=draft.subject)
        return draft, original, text

    return list(await asyncio.gather(*(stage(draft) for draft in drafts)))


async def _accept(
    draft: _Draft,
    original: BlobRef,
    text: BlobRef,
    format: Format,
    principal: Principal,
    transaction: Transaction,
    ring: KeyRing,
) -> Accepted:
    """Record, audit and announce one report; raises DuplicateReport or ChangedReport having done nothing."""
    submission, tenant, now = draft.submission, principal.tenant, datetime.now(UTC)
    earlier = await store.revisions(transaction.session, tenant, draft.identity)
    admission = admit(earlier, submission.status, draft.fingerprint)
    await store.add_report(
        transaction.session,
        store.NewReport(
            report_id=draft.report_id,
            tenant=tenant,
            source=submission.source,
            identity=draft.identity,
            revision=admission.number,
            fingerprint=draft.fingerprint,
            subject=draft.subject,
            external_id=_sealed("external-id", submission.external_id, tenant, draft.report_id, ring),
            type=submission.type,
            status=submission.status,
            authored_at=_sealed("authored-at", submission.authored_at, tenant, draft.report_id, ring),
            media_type=format.value,
            original=original,
            text=text,
            state=admission.state,
            reason=admission.reason,
            received_at=now,
        ),
    )
    for displaced in admission.displaced:
        subject = await store.move(
            transaction.session, displaced.report_id, displaced.state, at=now, reason=displaced.reason
        )
        happened = events_pb2.ReportDisplaced(
            report_id=displaced.report_id, state=displaced.state.value, displaced_by=draft.report_id
        )
        await transaction.publish(new_event(happened, tenant=tenant, subject=subject, occurred_at=now))
        await transaction.record(
            actor=principal.id,
            tenant=tenant,
            action=f"report.{displaced.state}",
            target=displaced.report_id,
            details={"by": draft.report_id},
        )
    received = events_pb2.ReportReceived(
        report_id=draft.report_id,
        original=original.to_message(),
        text=text.to_message(),
        report_type=submission.type,
        source=submission.source,
        status=_STATUSES[submission.status],
    )
    await transaction.publish(new_event(received, tenant=tenant, subject=draft.subject, occurred_at=now))
    await transaction.record(
        actor=principal.id,
        tenant=tenant,
        action="report.received",
        target=draft.report_id,
        details={
            "source": submission.source,
            "status": submission.status.value,
            "bytes": original.size,
            "original": original.keyed_hash,
        },
    )
    return Accepted(draft.good.row, draft.report_id, admission.state, submission.external_id, submission.type)


async def follow_reports(moves: Sequence[Move], *, database: Database, group: str) -> None:
    """Put reports where events say they are, one after another, unless they are beyond that already.

    All or none: of several, an event that speaks of an unknown report (UnknownReport) stops the others too.
    """
    async with database.begin(*(move.report_id for move in moves)) as transaction:
        fresh = {event.event_id for event in await transaction.first_times([m.event for m in moves], group)}
        once = {move.event.event_id: move for move in moves if move.event.event_id in fresh}
        states = await store.states_of(transaction.session, {move.report_id for move in once.values()})
        moved: list[Move] = []
        for move in once.values():
            report = move.event.tenant, move.report_id
            if report not in states:
                raise UnknownReport(
                    f"an event speaks of the report {move.report_id!r}, which was never received here",
                    mend="Check that both services belong to one installation.",
                )
            if may_become(states[report], move.state):
                states[report] = move.state
                moved.append(move)
            else:
                late = {"report": move.report_id, "state": states[report], "event": move.event.type}
                log.info("late event", extra=late)
        await store.move_all(
            transaction,
            [store.Step(m.report_id, m.state, m.event.occurred_at, m.reason[:128]) for m in moved],
        )


async def list_reports(
    principal: Principal,
    *,
    state: ReportState | None,
    after: str | None,
    limit: int,
    database: Database,
    ring: KeyRing,
) -> list[ShownReport]:
    """A page of reports; who read their external ids and times is audited."""
    async with database.begin(principal.id) as transaction:
        found = await store.find_reports(
            transaction.session, principal.tenant, state=state, after=after, limit=limit
        )
        await transaction.record(
            actor=principal.id,
            tenant=principal.tenant,
            action="report.listed",
            target=found[0].report_id if found else "none",
            details={"count": len(found)},
        )
    return [_shown(report, ring) for report in found]


async def show_report(
    report_id: str, principal: Principal, *, database: Database, ring: KeyRing
) -> ShownReport:
    """One report with its history; who read its external id and time is audited."""
    async with database.begin(principal.id) as transaction:
        found = await store.find_reports(transaction.session, principal.tenant, report_id=report_id, limit=1)
        if not found:
            raise UnknownReport("there is no such report", field="report_id", mend="Check its id.")
        history = await store.history_of(transaction.session, report_id)
        await transaction.record(
            actor=principal.id, tenant=principal.tenant, action="report.read", target=report_id
        )
    return _shown(found[0], ring, history)


async def read_ledger(principal: Principal, *, database: Database) -> ReportLedger:
    async with database.read() as session:
        received = await store.count_receipts(session, principal.tenant)
        missing = await store.count_receipts_without_report(session, principal.tenant)
        states = await store.count_states(session, principal.tenant)
    return ReportLedger(received, states, whole=not missing and received == sum(states.values()))


def _draft(good: GoodRow, tenant: str, ring: KeyRing) -> _Draft:
    """Keyed hashes under the tenant's key, each in a domain of its own. NUL separates: no field holds one."""
    submission = good.submission
    patient = submission.patient_id.reveal() if submission.patient_id else ""
    authored_at = submission.authored_at.reveal() if submission.authored_at else ""
    content = (submission.text.reveal(), patient, authored_at)

    def keyed(domain: str, *parts: str) -> str:
        return ring.subject(tenant, "\0".join((domain, *parts)).encode())

    if patient:
        subject = keyed("patient", patient)
    else:
        subject = keyed("content", submission.source, submission.text.reveal())
    if submission.external_id is not None:
        identity = keyed("external-id", submission.source, submission.external_id.reveal())
    else:
        identity = keyed("identity", submission.source, *content)
    return _Draft(good, _new_report_id(), subject, identity, keyed("fingerprint", *content))


def _new_report_id() -> str:
    """32 hexadecimal digits, milliseconds first, so that ids sort by arrival."""
    return f"{time.time_ns() // 1_000_000:012x}{secrets.token_hex(10)}"


def _sealed(column: str, value: PhiText | None, tenant: str, report_id: str, ring: KeyRing) -> bytes | None:
    """An external id (an accession number) or a time, which are PHI, under a key of ingestion's own, bound
    to its column and report.

    It lies in the record rather than in a blob so that a page of reports is one query; an erasure
    nulls the column.
    """
    if value is None:
        return None
    return seal(ring.key("ingestion-records"), value.reveal().encode(), _bound(column, tenant, report_id))


def _shown(report: store.StoredReport, ring: KeyRing, history: Sequence[store.Moment] = ()) -> ShownReport:
    def unsealed(column: str, sealed: bytes | None) -> PhiText | None:
        if sealed is None:
            return None
        bound = _bound(column, report.tenant, report.report_id)
        return PhiText(unseal(ring.key("ingestion-records"), sealed, bound).decode())

    return ShownReport(
        report,
        unsealed("external-id", report.external_id),
        unsealed("authored-at", report.authored_at),
        history,
    )


def _bound(column: str, tenant: str, report_id: str) -> bytes:
    return f"curbside-{column}:1:{tenant}:{report_id}".encode()
