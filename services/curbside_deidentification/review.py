"""What a reviewer does: list and show what is in quarantine, release or reject it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from curbside.contracts.events import new_event
from curbside.contracts.v1 import events_pb2
from curbside.identity.principal import Principal
from curbside.storage.blobs import BlobStore
from curbside.storage.database import Database, Transaction
from curbside_deidentification import store
from curbside_deidentification.domain.spans import count_by_category
from curbside_deidentification.handlers import deidentified, store_safe
from curbside_deidentification.quarantine import (
    NotQuarantined,
    Shown,
    collision,
    look,
    not_releasable,
    open_report,
    quarantined_row,
    require_quarantined,
    require_revision,
    result_of,
    without_spans,
)
from curbside_deidentification.replacements import Replacements
from curbside_deidentification.second_person import require_second_person
from curbside_deidentification.store import State


async def list_quarantined(
    principal: Principal, after: str, limit: int, *, database: Database
) -> Sequence[Any]:
    async with database.read() as session:
        return await store.quarantined(session, principal.tenant, after=after, limit=limit)


async def list_acts(
    principal: Principal, after: int, target: str, limit: int, *, database: Database
) -> Sequence[Any]:
    """What reviewers and others did, as the audit holds it."""
    async with database.read() as session:
        return await store.acts(session, principal.tenant, after=after, target=target, limit=limit)


async def show_quarantined(
    principal: Principal, report_id: str, *, database: Database, blobs: BlobStore
) -> Shown:
    """The text of a quarantined report with what was found in it. Each look is audited before it is given."""
    opened = await open_report(principal, report_id, database, blobs)
    return await look(principal, opened, database)


async def release(
    principal: Principal,
    report_id: str,
    revision: int = 0,
    *,
    database: Database,
    blobs: BlobStore,
    replacements: Replacements,
) -> None:
    """Pass a quarantined report on with the spans of `revision` replaced. Raises NotReleasable where nothing
    was de-identified, ReviewersCollide where somebody has corrected it since, and SignLeft where what is sure
    to identify would be passed on by one person alone. Sent again by the same person it does nothing more."""
    if await _done_before(principal, report_id, State.RELEASED, {"revision": revision}, database):
        return
    opened = await open_report(principal, report_id, database, blobs)
    row = opened.row
    if not row.releasable:
        raise not_releasable(row)
    require_revision(opened, revision)
    found = await result_of(opened)
    left = await require_second_person(principal, opened, found, database)
    async with replacements.begin(database, row.tenant, row.subject, report_id) as work:
        if await store.find_correction(work.transaction.session, report_id) != opened.correction:
            raise collision(report_id)
        result = await replacements.replaced(
            work, opened.document, found, row.tenant, row.subject, received_at=row.handled_at
        )
        safe = await store_safe(blobs, result, row.tenant, row.subject)
        work.made.append(safe)
        # By the tenant's policy of this moment, not of when the report came.
        passed_on = replacements.passed_on(opened.document, row.tenant, row.subject)
        values: dict[str, Any] = {
            "policy": result.policy,
            "authored_at": passed_on.authored_at,
            "spans_by_category": count_by_category(result.spans),
            "risk": result.risk,
        }
        if not row.place:  # quarantined by a release that gave none
            values["moved_at"], values["place"] = await replacements.placed(
                work.transaction, opened.document, row.tenant, row.subject
            )
        await _decide(
            work.transaction,
            principal,
            row,
            State.RELEASED,
            details={"risk": result.risk, "reason": row.reason, "revision": revision} | left,
            safe=safe.to_json(),
            **values,
        )
        await store.complete(
            work.transaction.session, report_id, row.tenant, by=principal.id, at=datetime.now(UTC)
        )
        await work.transaction.publish(
            new_event(
                deidentified(dict(row._mapping) | values, passed_on, safe, released=True),
                tenant=row.tenant,
                subject=row.subject,
            )
        )


async def reject(
    principal: Principal,
    report_id: str,
    reason: str,
    revision: int = 0,
    complete: bool = False,
    *,
    database: Database,
) -> None:
    """Take a quarantined report out for good. `reason` is a code, since it travels in an event.

    `complete` says that its spans, at `revision`, are right and whole, so that it belongs to the corpus. Sent
    again by the same person it does nothing more.
    """
    said = {"reason": reason, "revision": revision, "complete": complete}
    if await _done_before(principal, report_id, State.REJECTED, said, database):
        return
    row = await quarantined_row(principal, report_id, database)
    if complete and not row.releasable:
        raise without_spans(row)
    async with database.begin(report_id) as transaction:
        if complete:
            correction = await store.find_correction(transaction.session, report_id)
            if correction.revision != revision:
                raise collision(report_id)
            await store.complete(
                transaction.session, report_id, row.tenant, by=principal.id, at=datetime.now(UTC)
            )
        await _decide(
            transaction,
            principal,
            row,
            State.REJECTED,
            details={"risk": row.risk} | said,
        )
        await transaction.publish(
            new_event(
                events_pb2.ReportRejected(report_id=report_id, reason=reason),
                tenant=row.tenant,
                subject=row.subject,
            )
        )


async def _decide(
    transaction: Transaction,
    principal: Principal,
    row: Any,
    state: State,
    *,
    details: dict[str, Any],
    **values: Any,
) -> None:
    now = datetime.now(UTC)
    # Asked again in the transaction of the act: it may have been displaced or decided on since it was shown.
    await require_quarantined(transaction.session, row.report_id)
    if not await store.decide(transaction.session, row.report_id, state, by=principal.id, at=now, **values):
        raise NotQuarantined(f"another reviewer decided on {row.report_id!r} first", field="report_id")
    await transaction.record(
        actor=principal.id, tenant=row.tenant, action=_action(state), target=row.report_id, details=details
    )


async def _done_before(
    principal: Principal, report_id: str, state: State, said: dict[str, Any], database: Database
) -> bool:
    """Whether `principal` decided just so before: the answer may have been lost on its way."""
    async with database.read() as session:
        row = await store.find(session, report_id, principal.tenant)
        if row is None or (row.state, row.decided_by) != (state, principal.id):
            return False
        details = await store.audited(session, report_id, _action(state))
    return details is not None and details | said == details


def _action(state: State) -> str:
    return f"quarantine.{state}"
