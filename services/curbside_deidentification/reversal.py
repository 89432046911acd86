"""Turning something stored back to the patient it came of: one person asks, another agrees, the first reads.

Once, and each step is audited in its own transaction. What a policy kept nothing of, nobody can turn back.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from curbside.contracts.events import Event
from curbside.contracts.v1 import events_pb2
from curbside.errors import Conflict, Forbidden, NotFound
from curbside.identity.principal import Principal
from curbside.phi import PhiText
from curbside.storage.blobs import BlobRef, BlobStore
from curbside.storage.database import Database, Transaction
from curbside_deidentification import store
from curbside_deidentification.domain.replacement import Made, keeps_mapping
from curbside_deidentification.replacements import Replacements
from curbside_deidentification.store import Reversal, Session

_GROUP: Final = "deidentification"


class Kind(StrEnum):
    """What of it can be turned back."""

    REPORT = "report"
    OPINION = "opinion"


class UnknownReversal(NotFound):
    code = "deid.unknown-reversal"


class UnknownTarget(NotFound):
    code = "deid.unknown-target"


class NotReversible(Conflict):
    code = "deid.not-reversible"
    title = "Nothing was kept that this could be turned back by"


class SamePerson(Forbidden):
    code = "deid.same-person"
    title = "Turning something back takes two people"


class NotRequester(Forbidden):
    code = "deid.not-requester"


class ReversalOver(Conflict):
    """It is decided, read or expired, or not yet approved."""

    code = "deid.reversal-over"
    title = "The reversal is not open for this"


@dataclass(frozen=True)
class _Target:
    """`made` says by which policies: of a text that was pasted for an opinion nothing is said."""

    subject: str
    safe: BlobRef
    made: tuple[Made, ...]


async def learn_opinion(event: Event, *, database: Database) -> None:
    """Keep where an opinion's answer lies: it holds its patient's surrogates."""
    payload = event.payload
    assert isinstance(payload, events_pb2.OpinionGiven)
    async with database.begin(payload.opinion_id) as transaction:
        if await transaction.first_time(event, _GROUP):
            output = BlobRef.from_message(payload.output).to_json()
            await store.put_opinion(
                transaction.session, payload.opinion_id, event.tenant, event.subject, output
            )


async def request_reversal(
    principal: Principal,
    kind: Kind,
    target: str,
    reason: str,
    *,
    lifetime: timedelta,
    database: Database,
    replacements: Replacements,
) -> Reversal:
    """Ask for one; `reason` is a code. Raises UnknownTarget, or NotReversible before anybody is troubled."""
    now = datetime.now(UTC)
    reversal = Reversal(
        reversal_id=f"v-{secrets.token_hex(12)}",
        tenant=principal.tenant,
        kind=kind.value,
        target=target,
        reason=reason,
        state=store.ReversalState.REQUESTED,
        requested_by=principal.id,
        requested_at=now,
        expires_at=now + lifetime,
    )
    async with database.begin(reversal.reversal_id) as transaction:
        found = await _target(transaction.session, principal.tenant, kind, target)
        kept = await replacements.can_restore(transaction.session, principal.tenant, found.subject)
        if not kept or (found.made and not any(keeps_mapping(one.label) for one in found.made)):
            raise NotReversible(
                "nothing was kept of what this patient's surrogates stand for, or it was erased",
                field="id",
                mend="Read the original where it was received, with the right to read reports.",
            )
        await store.add_reversal(transaction.session, reversal)
        await _record(transaction, principal, "reversal.requested", reversal)
    return reversal


async def approve_reversal(
    principal: Principal, reversal_id: str, *, read_within: timedelta, database: Database
) -> Reversal:
    """Agree to another's request. Raises SamePerson to whoever asked; that is audited too."""
    async with database.begin(reversal_id) as transaction:
        reversal = await _find(transaction.session, principal, reversal_id)
        same = reversal.requested_by == principal.id
        if same:
            await _record(transaction, principal, "reversal.own-approval-refused", reversal)
        else:
            now = datetime.now(UTC)
            _require(reversal, store.ReversalState.REQUESTED, now)
            reversal = await store.move_reversal(
                transaction.session,
                reversal,
                state=store.ReversalState.APPROVED,
                decided_by=principal.id,
                decided_at=now,
                expires_at=now + read_within,
            )
            await _record(transaction, principal, "reversal.approved", reversal)
    if same:
        raise SamePerson(
            "whoever asks for a reversal cannot approve it",
            field="Authorization",
            mend="Let somebody else with the role privacy-officer approve it, by a token of their own name.",
        )
    return reversal


async def decline_reversal(principal: Principal, reversal_id: str, *, database: Database) -> Reversal:
    """Refuse a request, or take one's own back, while nobody has read it."""
    async with database.begin(reversal_id) as transaction:
        reversal = await _find(transaction.session, principal, reversal_id)
        now = datetime.now(UTC)
        if reversal.state is not store.ReversalState.APPROVED:
            _require(reversal, store.ReversalState.REQUESTED, now)
        reversal = await store.move_reversal(
            transaction.session,
            reversal,
            state=store.ReversalState.DECLINED,
            decided_by=principal.id,
            decided_at=now,
        )
        await _record(transaction, principal, "reversal.declined", reversal)
    return reversal


async def read_reversal(
    principal: Principal,
    reversal_id: str,
    *,
    database: Database,
    blobs: BlobStore,
    replacements: Replacements,
) -> tuple[Reversal, PhiText]:
    """The text as it was, once, to whoever asked for it. It is marked and audited before it is given."""
    async with database.read() as session:
        reversal = await _find(session, principal, reversal_id)
        subject = (await _target(session, principal.tenant, Kind(reversal.kind), reversal.target)).subject
    async with replacements.begin(database, principal.tenant, subject, reversal_id) as work:
        transaction = work.transaction
        reversal = await _find(transaction.session, principal, reversal_id)
        if reversal.requested_by != principal.id:
            raise NotRequester(
                "only whoever asked for a reversal reads it",
                field="Authorization",
                mend="Ask for one of your own; somebody else approves it.",
            )
        now = datetime.now(UTC)
        _require(reversal, store.ReversalState.APPROVED, now)
        found = await _target(transaction.session, principal.tenant, Kind(reversal.kind), reversal.target)
        stored = (await blobs.get(found.safe)).decode()
        text = json.loads(stored)["answer"] if reversal.kind == Kind.OPINION else stored
        restored = await replacements.restored(
            work, PhiText(text), principal.tenant, found.subject, found.made
        )
        reversal = await store.move_reversal(
            transaction.session, reversal, state=store.ReversalState.READ, read_at=now
        )
        await _record(transaction, principal, "reversal.read", reversal)
    return reversal, restored


async def list_reversals(
    principal: Principal, after: str, limit: int, *, database: Database
) -> Sequence[Reversal]:
    """Those of the tenant by id, without any text: an auditor's view, and the approver's."""
    async with database.read() as session:
        return await store.reversals(session, principal.tenant, after=after, limit=limit)


async def _target(session: Session, tenant: str, kind: Kind, target: str) -> _Target:
    row: Any
    if kind is Kind.OPINION:
        row = await store.find_opinion(session, target, tenant)
        if row is None:
            raise UnknownTarget(f"no opinion is known as {target!r}", field="id")
        # It speaks of some of its patient's reports, and no event says of which.
        made = await store.made(session, tenant, row.subject)
        return _Target(row.subject, BlobRef.from_json(row.output), tuple(Made(*one) for one in made))
    row = await store.find(session, target, tenant)
    if row is None or row.safe is None:
        raise UnknownTarget(
            f"no de-identified report is known as {target!r}",
            field="id",
            mend="Check its id; what is in quarantine is reviewed, and not turned back.",
        )
    if not keeps_mapping(row.policy):
        raise NotReversible(
            f"the report {target!r} was de-identified by {row.policy!r}, which keeps nothing that was there",
            field="id",
            mend="Read the original where it was received, with the right to read reports.",
            policy=row.policy,
        )
    made_by = Made(row.policy, row.decided_at or row.handled_at)
    return _Target(row.subject, BlobRef.from_json(row.safe), (made_by,))


async def _find(session: Session, principal: Principal, reversal_id: str) -> Reversal:
    reversal = await store.find_reversal(session, reversal_id, principal.tenant)
    if reversal is None:
        raise UnknownReversal(f"there is no reversal {reversal_id!r}", field="reversal_id")
    return reversal


def _require(reversal: Reversal, state: store.ReversalState, now: datetime) -> None:
    expired = reversal.state in store.OPEN and reversal.expires_at <= now
    if expired or reversal.state is not state:
        stands = "expired" if expired else reversal.state.value
        raise ReversalOver(
            f"the reversal {reversal.reversal_id!r} is {stands}, and would have to be {state.value}",
            field="reversal_id",
            mend="Wait for somebody's approval."
            if stands == store.ReversalState.REQUESTED
            else "Ask for a new one.",
            state=stands,
        )


async def _record(transaction: Transaction, principal: Principal, action: str, reversal: Reversal) -> None:
    await transaction.record(
        actor=principal.id,
        tenant=principal.tenant,
        action=action,
        target=reversal.target,
        details={
            "reversal": reversal.reversal_id,
            "kind": reversal.kind,
            "reason": reversal.reason,
            "requested_by": reversal.requested_by,
        },
    )
