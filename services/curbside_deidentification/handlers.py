"""What deidentification does: de-identify a report or a caller's text, and turn surrogates back."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Protocol

from curbside.contracts import codec
from curbside.contracts.codec import PhiDocument
from curbside.contracts.events import Event, new_event
from curbside.contracts.v1 import events_pb2
from curbside.errors import BadInput, Conflict
from curbside.identity.principal import Principal
from curbside.phi import PhiText, SafeText
from curbside.storage.blobs import BlobRef, BlobStore
from curbside.storage.database import Database, Transaction
from curbside.storage.zones import Zone
from curbside_deidentification import store
from curbside_deidentification.domain.spans import count_by_category
from curbside_deidentification.pipeline import Reason, Result
from curbside_deidentification.pool import WorkerFailed, WorkerTimedOut
from curbside_deidentification.replacements import PassedOn, Replacements, Work
from curbside_deidentification.store import State
from curbside_deidentification.wire import to_response

_ACTOR = "service:deidentification"
_GROUP = "deidentification"
_OPINION_ID = re.compile(r"[0-9a-f]{32}")


class Deidentify(Protocol):
    """What `WorkerPool.deidentify` is to the handlers."""

    async def __call__(self, document: PhiDocument, *, tenant: str, subject: str = "") -> Result: ...


class NoSubject(BadInput):
    code = "deid.no-subject"


class NotOwnText(Conflict):
    code = "deid.not-own-text"
    title = "What is stored is turned back by two people"


async def deidentify_report(
    event: Event,
    *,
    database: Database,
    blobs: BlobStore,
    replacements: Replacements,
    deidentify: Deidentify,
    policy: str,
) -> None:
    """De-identify the report of a ReportReceived event, once, and publish what became of it.

    Nothing becomes of one that was amended or retracted meanwhile: ingestion's ledger says so already. A
    worker that fails or times out on it quarantines it; Unavailable passes through, and the bus waits.
    """
    payload = event.payload
    assert isinstance(payload, events_pb2.ReportReceived)
    async with database.read() as session:
        if await store.done_with(session, payload.report_id):
            return  # do not spend a worker on it
    original = BlobRef.from_message(payload.text)
    document = codec.from_bytes(await blobs.get(original))
    try:
        # A worker needs the text and what is known: the report's time stays here.
        result = await deidentify(
            replace(document, authored_at=None), tenant=event.tenant, subject=event.subject
        )
    except (WorkerFailed, WorkerTimedOut) as error:
        reason = Reason.TIMED_OUT if isinstance(error, WorkerTimedOut) else Reason.RECOGNISER_FAILED
        result = Result(PhiText(""), (), 1.0, reason, policy)
    by_policy = replacements.policy_of(event.tenant) is not None
    safe = None
    if not result.quarantined and not by_policy:
        safe = await store_safe(blobs, result, event.tenant, event.subject)
    kept = await _store_result(blobs, result, event.tenant, event.subject) if result.quarantined else None
    passed_on = replacements.passed_on(document, event.tenant, event.subject)
    values = {
        "report_id": payload.report_id,
        "report_type": payload.report_type,
        "source": payload.source,
        "status": payload.status,
        "exclusions": [*payload.exclusions],
        "authored_at": passed_on.authored_at,
        "spans_by_category": count_by_category(result.spans),
        "risk": result.risk,
        "policy": replacements.label(result.policy, event.tenant),
    }
    async with replacements.begin(database, event.tenant, event.subject, payload.report_id) as work:
        transaction = work.transaction
        repeated = not await transaction.first_time(event, _GROUP) or await store.done_with(
            transaction.session, payload.report_id
        )
        if not repeated:
            if by_policy and not result.quarantined:
                # In the transaction: what stands for what hangs on the patient's reports before this one.
                result = await replacements.replaced(
                    work, document, result, event.tenant, event.subject, received_at=event.occurred_at
                )
                safe = await store_safe(blobs, result, event.tenant, event.subject)
                work.made.append(safe)
            moved_at, values["place"] = await replacements.placed(
                transaction, document, event.tenant, event.subject
            )
            await store.add(
                transaction.session,
                **values,
                moved_at=moved_at,
                tenant=event.tenant,
                subject=event.subject,
                state=State.QUARANTINED if result.quarantined else State.DEIDENTIFIED,
                reason=result.reason,
                releasable=result.reason is Reason.RISK,
                original=original.to_json(),
                result=kept.to_json() if kept else None,
                safe=safe.to_json() if safe else None,
                handled_at=datetime.now(UTC),
            )
            await _publish_outcome(transaction, event, values, passed_on, result, safe)
    if repeated:
        for ref in (safe, kept):
            if ref is not None:
                await blobs.delete(ref)


async def displace_report(event: Event, *, database: Database) -> None:
    """Keep a report that was amended or retracted from being de-identified or released."""
    payload = event.payload
    assert isinstance(payload, events_pb2.ReportDisplaced)
    async with database.begin(payload.report_id) as transaction:
        if await transaction.first_time(event, _GROUP):
            await store.displace(
                transaction.session,
                payload.report_id,
                event.tenant,
                State(payload.state),
                by=payload.displaced_by,
                at=event.occurred_at,
            )


async def shield(
    document: PhiDocument,
    *,
    tenant: str,
    subject: str,
    database: Database,
    replacements: Replacements,
    deidentify: Deidentify,
) -> Result:
    """De-identify a caller's text. With a subject, by the tenant's policy; without one nothing could be
    consistent or turned back, and every mention becomes its placeholder."""
    subject = replacements.keyed(tenant, subject)
    result = await deidentify(replace(document, authored_at=None), tenant=tenant, subject=subject)
    if not subject or result.quarantined or replacements.policy_of(tenant) is None:
        return result
    async with replacements.begin(database, tenant, subject) as work:
        return await replacements.replaced(
            work, document, result, tenant, subject, received_at=datetime.now(UTC)
        )


async def restore(
    principal: Principal,
    text: PhiText,
    subject: str,
    policy: str = "",
    *,
    database: Database,
    replacements: Replacements,
) -> PhiText:
    """Turn back in a caller's own text what the policy of the label `policy` wrote, or without one what the
    tenant's policy of now did. Each is audited before it is answered."""
    if not subject:
        raise NoSubject(
            "nothing can be turned back for nobody",
            field="subject",
            mend="Give the subject that the text was de-identified with.",
        )
    subject = replacements.keyed(principal.tenant, subject)
    async with database.read() as session:
        # Their mapping turns any stored report back that somebody pastes here as a text of their own.
        if await store.has_reports(session, principal.tenant, subject):
            raise NotOwnText(
                "reports of this patient are stored here",
                field="subject",
                mend="Ask for a reversal, which somebody else approves: POST /v1/reversals.",
            )
    async with replacements.begin(database, principal.tenant, subject) as work:
        restored = await replacements.restored_by(work, text, principal.tenant, subject, policy)
        await _record_restored(work, principal, text, subject)
    return restored


async def restore_answer(
    principal: Principal, text: PhiText, opinion_id: str, *, database: Database, replacements: Replacements
) -> PhiText:
    """Likewise in an answer about what was pasted for one opinion, by the mapping of that text alone."""
    if not _OPINION_ID.fullmatch(opinion_id):
        raise NoSubject(
            "an opinion's id is 32 hexadecimal digits",
            field="opinion_id",
            mend="Give the id that the pasted text was de-identified for.",
        )
    subject = replacements.opinion(principal.tenant, opinion_id)
    async with replacements.begin(database, principal.tenant, subject) as work:
        restored = await replacements.restored(work, text, principal.tenant, subject)
        await _record_restored(work, principal, text, subject)
    return restored


async def _record_restored(work: Work, principal: Principal, text: PhiText, subject: str) -> None:
    await work.transaction.record(
        actor=principal.id,
        tenant=principal.tenant,
        action="text.restored",
        target=subject,
        details={"characters": len(text)},
    )


async def _publish_outcome(
    transaction: Transaction,
    event: Event,
    values: dict[str, Any],
    passed_on: PassedOn,
    result: Result,
    safe: BlobRef | None,
) -> None:
    happened: events_pb2.ReportDeidentified | events_pb2.ReportQuarantined
    if safe is not None:
        happened = deidentified(values, passed_on, safe, released=False)
    else:
        happened = events_pb2.ReportQuarantined(
            report_id=values["report_id"], reason=result.reason or "", risk=result.risk, policy=result.policy
        )
    await transaction.publish(new_event(happened, tenant=event.tenant, subject=event.subject))
    await transaction.record(
        actor=_ACTOR,
        tenant=event.tenant,
        action="report.quarantined" if result.quarantined else "report.deidentified",
        target=values["report_id"],
        details={
            "policy": result.policy,
            "legal_basis": passed_on.legal_basis,
            "risk": result.risk,
            "reason": result.reason,
        },
    )


def deidentified(
    values: dict[str, Any], passed_on: PassedOn, safe: BlobRef, *, released: bool
) -> events_pb2.ReportDeidentified:
    return events_pb2.ReportDeidentified(
        report_id=values["report_id"],
        text=safe.to_message(),
        report_type=values["report_type"],
        source=values["source"],
        status=values["status"],
        exclusions=values["exclusions"],
        authored_at=values["authored_at"],
        spans_by_category=values["spans_by_category"],
        risk=values["risk"],
        policy=values["policy"],
        released=released,
        legal_basis=passed_on.legal_basis,
        subjects=passed_on.subjects,
        place=values["place"],
    )


async def store_safe(blobs: BlobStore, result: Result, tenant: str, subject: str) -> BlobRef:
    text = SafeText(result.replaced.reveal(), rules=(result.policy,))
    return await blobs.put(Zone.SAFE, text.text.encode(), tenant=tenant, subject=subject)


async def _store_result(blobs: BlobStore, result: Result, tenant: str, subject: str) -> BlobRef:
    """Replaced text and spans of a quarantined report: still PHI, for a reviewer's eyes."""
    return await blobs.put(Zone.PHI, to_response(result).SerializeToString(), tenant=tenant, subject=subject)
