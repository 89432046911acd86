"""The regression corpus: every report whose review is complete, read again by today's detector.

The texts lie sealed in the PHI zone of this service, so they are replayed here, by its own workers; what
leaves is counts and ids.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from curbside.contracts import codec
from curbside.identity.principal import Principal
from curbside.storage.blobs import BlobNotFound, BlobRef, BlobStore
from curbside.storage.database import Database
from curbside.storage.keys import DataKeyErased
from curbside_deidentification import store
from curbside_deidentification.domain.regression import Held, hold_against
from curbside_deidentification.handlers import Deidentify
from curbside_deidentification.pipeline import Reason
from curbside_deidentification.pool import WorkerFailed, WorkerTimedOut
from curbside_deidentification.quarantine import read_result, read_review


@dataclass(frozen=True)
class Replayed:
    """`now` is today's detector, `at_review` the one that quarantined the report; `failed` is the code where
    today's could not read it, and `now` is then of nothing found."""

    report_id: str
    now: Held
    at_review: Held
    failed: str | None = None

    @property
    def worse(self) -> bool:
        return self.failed is not None or self.now.worse_than(self.at_review)


async def replay(
    principal: Principal,
    after: str,
    limit: int,
    *,
    database: Database,
    blobs: BlobStore,
    deidentify: Deidentify,
    policy: str,
) -> tuple[Sequence[Replayed], str | None]:
    """The next `limit` reports of the tenant's corpus behind `after`, and the id to go on behind.

    Raises NoWorker where none answers. Each page is audited; a patient who was erased meanwhile is left out.
    """
    async with database.read() as session:
        rows = await store.corpus(session, principal.tenant, after=after, limit=limit)
    replayed = []
    for row in rows:
        try:
            replayed.append(await _replay_one(row, blobs, deidentify))
        except (BlobNotFound, DataKeyErased):
            continue
    async with database.begin("regression") as transaction:
        await transaction.record(
            actor=principal.id,
            tenant=principal.tenant,
            action="regression.replayed",
            target=rows[-1].report_id if rows else after,
            details={"reports": len(replayed), "policy": policy},
        )
    return replayed, rows[-1].report_id if len(rows) == limit else None


async def _replay_one(row: Any, blobs: BlobStore, deidentify: Deidentify) -> Replayed:
    document = codec.from_bytes(await blobs.get(BlobRef.from_json(row.original)))
    found = await read_result(blobs, row)
    review = await read_review(blobs, found, BlobRef.from_json(row.spans) if row.spans else None)
    text, gold = document.text.reveal(), review.active
    at_review = hold_against(gold, found.spans, text)
    failed = None
    try:
        result = await deidentify(replace(document, authored_at=None), tenant=row.tenant, subject=row.subject)
    except (WorkerFailed, WorkerTimedOut) as error:
        return Replayed(row.report_id, hold_against(gold, (), text), at_review, error.code)
    if result.reason not in (None, Reason.RISK):
        failed = str(result.reason)
    return Replayed(row.report_id, hold_against(gold, result.spans, text), at_review, failed)
