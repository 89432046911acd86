"""How consents become durable: record, audit and event as one, before the reports that came with them."""

from __future__ import annotations

import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from prometheus_client import Counter

from curbside.contracts.events import Event, new_event
from curbside.contracts.v1 import events_pb2
from curbside.errors import Conflict, CurbsideError
from curbside.identity.http import allowed
from curbside.identity.principal import Principal, Scope
from curbside.storage.blobs import BlobStore
from curbside.storage.database import Database, Transaction
from curbside.storage.keys import KeyRing
from curbside.storage.zones import Zone
from curbside_ingestion.consents import store
from curbside_ingestion.domain.consents import (
    Consent,
    Decision,
    Recorded,
    UnknownConsent,
    is_barred,
    repeated,
    voided,
)
from curbside_ingestion.domain.problems import DuplicateReport
from curbside_ingestion.domain.rows import GoodRow
from curbside_ingestion.domain.states import ReportState
from curbside_ingestion.handlers import GROUP_SIZE, Receive
from curbside_ingestion.receiving import Accepted, Refused, Taken
from curbside_ingestion.subjects import subject_of
from curbside_ingestion.together import withheld

RECORDED: Final = Counter(
    "curbside_ingestion_recorded_consents",
    "Consents that came in, by outcome: their decision, repeated, or the code of the problem.",
    ["outcome"],
)
TakeConsents = Callable[[Sequence[Consent], Principal], Awaitable[Sequence[Taken | CurbsideError]]]
JudgeConsents = Callable[[Sequence[Consent], Principal], Awaitable[Sequence[CurbsideError | None]]]


@dataclass(frozen=True)
class _Arrival:
    """A consent on its way in, under its patient's subject, as it would be recorded."""

    consent: Consent
    subject: str
    said: Recorded


async def receive_rows(
    rows: Sequence[GoodRow],
    media_type: str,
    principal: Principal,
    *,
    reports: Receive,
    consents: TakeConsents,
) -> list[Accepted | Refused]:
    """Take in `rows`, of which some may be consents: these first, so that no report goes before a word that
    came with it. Raises Unavailable where they cannot be recorded; no report is taken in then."""
    said = [row for row in rows if row.consent is not None]
    if not said:
        return await reports(rows, media_type, principal)
    others = [row for row in rows if row.consent is None]
    taken = await consents([row.consent for row in said if row.consent is not None], principal)
    outcomes: dict[int, Accepted | Refused] = {}
    for row, one in zip(said, taken, strict=True):
        if isinstance(one, CurbsideError):
            outcomes[row.row] = Refused(row.row, one)
        else:
            outcomes[row.row] = Accepted(row.row, "", ReportState.PENDING, None, "", one)
    for outcome in await reports(others, media_type, principal):
        outcomes[outcome.row] = outcome
    return [outcomes[row.row] for row in rows]


async def receive_together(
    rows: Sequence[GoodRow],
    media_type: str,
    principal: Principal,
    *,
    reports: Receive,
    consents: TakeConsents,
    judge: JudgeConsents,
) -> list[Accepted | Refused]:
    """Take in all of `rows` or none, as a FHIR transaction asks.

    Consents are judged first. Then what bars is recorded, then the reports, and what permits only after them:
    where the reports are refused, or this ends in between, no more is permitted than before.
    """
    said = [row for row in rows if row.consent is not None]
    if not said:
        return await reports(rows, media_type, principal)
    problems = await judge([row.consent for row in said if row.consent is not None], principal)
    if any(problems):
        at_fault = {row.row: problem for row, problem in zip(said, problems, strict=True) if problem}
        return [Refused(row.row, at_fault.get(row.row) or withheld()) for row in rows]
    barring = [row for row in said if row.consent is not None and row.consent.decision is Decision.DENY]
    others = [row for row in rows if row.consent is None]
    first = await receive_rows([*barring, *others], media_type, principal, reports=reports, consents=consents)
    outcomes = {outcome.row: outcome for outcome in first}
    left = [row for row in said if row not in barring]
    if all(isinstance(one, Accepted) or isinstance(one.problem, DuplicateReport) for one in first):
        outcomes |= {
            one.row: one
            for one in await receive_rows(left, media_type, principal, reports=reports, consents=consents)
        }
    else:
        outcomes |= {row.row: Refused(row.row, withheld()) for row in left}
    return [outcomes[row.row] for row in rows]


async def judge_consents(
    consents: Sequence[Consent], principal: Principal, *, database: Database, ring: KeyRing
) -> list[CurbsideError | None]:
    """What stands in the way of each, beside what is recorded."""
    now = datetime.now(UTC)
    arrivals = [_arrive(consent, principal.tenant, now, ring) for consent in consents]
    problems: list[CurbsideError | None] = []
    async with database.read() as session:
        subjects = {one.subject for one in arrivals}
        there = await store.consents_of(session, principal.tenant, subjects, ring)
    for arrival in arrivals:
        try:
            voided(there[arrival.subject], arrival.said)
            problems.append(None)
        except Conflict as problem:
            problems.append(problem)
    return problems


async def take_consents(
    consents: Sequence[Consent], principal: Principal, *, database: Database, blobs: BlobStore, ring: KeyRing
) -> list[Taken | CurbsideError]:
    """Record `consents`, in their order; each comes back as Taken, or with what is wrong with it.

    What is recorded already is not recorded again, so all may be said again where this raises Unavailable or
    StorageFull.
    """
    allowed(principal, Scope.CONSENTS_WRITE)
    await blobs.check_space()
    outcomes: list[Taken | CurbsideError] = []
    for start in range(0, len(consents), GROUP_SIZE):
        now = datetime.now(UTC)
        group = [_arrive(one, principal.tenant, now, ring) for one in consents[start : start + GROUP_SIZE]]
        outcomes += await _take_some(group, principal, now, database, blobs, ring)
    for outcome in outcomes:
        RECORDED.labels(outcome=_said_of(outcome)).inc()
    return outcomes


async def _take_some(
    arrivals: Sequence[_Arrival],
    principal: Principal,
    now: datetime,
    database: Database,
    blobs: BlobStore,
    ring: KeyRing,
) -> list[Taken | CurbsideError]:
    """In one transaction, which holds a lock of the database for each of their patients."""
    subjects = {arrival.subject for arrival in arrivals}
    known = {
        subject: await blobs.key_mark(Zone.PHI, principal.tenant, subject) is not None for subject in subjects
    }
    outcomes: list[Taken | CurbsideError] = []
    async with database.begin(*(f"consents of {principal.tenant} {one}" for one in subjects)) as transaction:
        there = await store.consents_of(transaction.session, principal.tenant, subjects, ring)
        for arrival in arrivals:
            try:
                earlier = there[arrival.subject]
                found, is_new = await _record(arrival, earlier, principal, now, transaction, ring)
            except Conflict as problem:
                outcomes.append(problem)
                continue
            barred = is_barred(there[arrival.subject], now)
            outcomes.append(Taken(found, is_new, barred, known[arrival.subject]))
    return outcomes


async def list_consents(
    principal: Principal, *, after: str | None, limit: int, database: Database, ring: KeyRing
) -> list[store.StoredConsent]:
    """A page of consents; who read when patients said something is audited."""
    async with database.begin(principal.id) as transaction:
        found = await store.find_consents(
            transaction.session, principal.tenant, ring=ring, after=after, limit=limit
        )
        await transaction.record(
            actor=principal.id,
            tenant=principal.tenant,
            action="consent.listed",
            target=found[0].said.consent_id if found else "none",
            details={"count": len(found)},
        )
    return found


async def show_consent(
    consent_id: str, principal: Principal, *, database: Database, ring: KeyRing
) -> store.StoredConsent:
    async with database.begin(principal.id) as transaction:
        found = await store.find_consents(
            transaction.session, principal.tenant, ring=ring, consent_id=consent_id, limit=1
        )
        if not found:
            raise UnknownConsent("there is no such consent", field="consent_id", mend="Check its id.")
        await transaction.record(
            actor=principal.id, tenant=principal.tenant, action="consent.read", target=consent_id
        )
    return found[0]


async def _record(
    arrival: _Arrival,
    there: list[Recorded],
    principal: Principal,
    now: datetime,
    transaction: Transaction,
    ring: KeyRing,
) -> tuple[Recorded, bool]:
    """The consent as it stands in the record now, and whether it is new there; `there` follows."""
    new, tenant = arrival.said, principal.tenant
    gone = voided(there, new)
    found = repeated(there, new, exact=arrival.consent.is_exact, now=now)
    if found is not None:
        return found, False
    happened: list[Event] = []
    for one in gone:
        void = replace(one, decision=Decision.VOID, sequence=_next(there))
        there[there.index(one)] = void
        await store.void_consent(transaction.session, void.consent_id, void.sequence)
        happened.append(_changed(void, arrival, tenant, now, ring))
        await transaction.record(
            actor=principal.id,
            tenant=tenant,
            action="consent.voided",
            target=void.consent_id,
            details={"by": new.consent_id},
        )
    new = replace(new, sequence=_next(there))
    there.append(new)
    consent = arrival.consent
    kept = store.StoredConsent(tenant, arrival.subject, consent.source, consent.scope.value, now, new)
    await store.add_consents(transaction, [kept], ring)
    await transaction.publish(*happened, _changed(new, arrival, tenant, now, ring))
    await transaction.record(
        actor=principal.id,
        tenant=tenant,
        action="consent.recorded",
        target=new.consent_id,
        details={"decision": new.decision.value, "scope": consent.scope.value, "source": consent.source},
    )
    return new, True


def _arrive(consent: Consent, tenant: str, now: datetime, ring: KeyRing) -> _Arrival:
    """Keyed hashes under the tenant's key, each in a domain of its own. NUL separates: no field holds one."""
    patient = consent.patient_id.reveal()

    def keyed(domain: str, *parts: str) -> str:
        return ring.subject(tenant, "\0".join((domain, *parts)).encode())

    reference = consent.reference.reveal() if consent.reference is not None else ""
    where = (consent.source, reference, patient)
    what = (consent.scope, consent.decision, consent.effective_at, consent.ends_at)
    begin, end = consent.placed(now)
    said = Recorded(
        consent_id=_new_consent_id(),
        sequence=0,
        decision=consent.decision,
        effective_at=begin,
        ends_at=end,
        identity=keyed("consent", *where) if reference else None,
        fingerprint=keyed("consent-content", *where, *what),
    )
    return _Arrival(consent, subject_of(consent.patient_id, tenant, ring), said)


def _changed(said: Recorded, arrival: _Arrival, tenant: str, now: datetime, ring: KeyRing) -> Event:
    happened = events_pb2.ConsentChanged(
        consent_id=said.consent_id,
        scope=arrival.consent.scope.value,
        decision=said.decision.value,
        sequence=said.sequence,
        period=store.sealed(said, tenant, ring),
    )
    return new_event(happened, tenant=tenant, subject=arrival.subject, occurred_at=now)


def _next(there: Sequence[Recorded]) -> int:
    return max((one.sequence for one in there), default=0) + 1


def _said_of(outcome: Taken | CurbsideError) -> str:
    if isinstance(outcome, CurbsideError):
        return outcome.code
    return outcome.consent.decision.value if outcome.is_new else "repeated"


def _new_consent_id() -> str:
    """32 hexadecimal digits, milliseconds first, so that ids sort by arrival."""
    return f"{time.time_ns() // 1_000_000:012x}{secrets.token_hex(10)}"
