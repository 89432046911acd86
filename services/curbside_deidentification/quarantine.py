"""A report in quarantine, opened: its text, what was found in it, and what reviewers have said of that."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from curbside.contracts import codec
from curbside.contracts.codec import PhiDocument
from curbside.contracts.v1 import deidentification_pb2 as pb
from curbside.errors import Conflict, NotFound
from curbside.identity.principal import Principal
from curbside.phi import PhiText
from curbside.storage.blobs import BlobRef, BlobStore
from curbside.storage.database import Database
from curbside_deidentification import store
from curbside_deidentification.domain.corrections import Review, ReviewedSpan
from curbside_deidentification.domain.policy import load_policy
from curbside_deidentification.pipeline import Result, reviewed
from curbside_deidentification.store import Correction, State
from curbside_deidentification.wire import from_response


class UnknownReport(NotFound):
    code = "deid.unknown-report"


class NotQuarantined(Conflict):
    code = "deid.not-quarantined"
    title = "The report is not in quarantine"


class DisplacedReport(Conflict):
    code = "deid.displaced"
    title = "The report was amended or retracted"


class NotReleasable(Conflict):
    code = "deid.not-releasable"
    title = "The report was never de-identified, so it cannot be released"


class ReviewersCollide(Conflict):
    code = "deid.reviewers-collide"
    title = "Another reviewer corrected the report meanwhile"


@dataclass(frozen=True)
class Shown:
    """A quarantined report as a reviewer sees it; spans are in its text's offsets, and `result` is of those
    that are active."""

    row: Any
    revision: int
    text: PhiText
    spans: Sequence[ReviewedSpan]
    result: Result


@dataclass(frozen=True)
class Opened:
    """A report with everything that a decision on it hangs on."""

    row: Any
    document: PhiDocument
    found: Result  # as the report was quarantined, with the policy's label of then
    correction: Correction
    review: Review


async def open_report(principal: Principal, report_id: str, database: Database, blobs: BlobStore) -> Opened:
    row = await quarantined_row(principal, report_id, database)
    async with database.read() as session:
        correction = await store.find_correction(session, report_id)
    document = codec.from_bytes(await blobs.get(BlobRef.from_json(row.original)))
    found = await read_result(blobs, row)
    review = await read_review(blobs, found, correction.spans)
    return Opened(row, document, found, correction, review)


async def read_result(blobs: BlobStore, row: Any) -> Result:
    """What was found when the report was quarantined."""
    return from_response(pb.DeidentifyResponse.FromString(await blobs.get(BlobRef.from_json(row.result))))


async def read_review(blobs: BlobStore, found: Result, spans: BlobRef | None) -> Review:
    return Review.of(found.spans) if spans is None else Review.from_bytes(await blobs.get(spans))


async def result_of(opened: Opened) -> Result:
    """The result of the active spans; the one that was kept where nobody corrected any."""
    if opened.correction.spans is None:
        return opened.found
    policy = load_policy()
    result = await asyncio.to_thread(reviewed, opened.document, opened.review.active, policy)
    return replace(result, policy=opened.found.policy)


async def shown_of(opened: Opened) -> Shown:
    return Shown(
        opened.row,
        opened.correction.revision,
        opened.document.text,
        opened.review.spans,
        await result_of(opened),
    )


async def look(principal: Principal, opened: Opened, database: Database) -> Shown:
    shown = await shown_of(opened)
    async with database.begin(opened.row.report_id) as transaction:
        await transaction.record(
            actor=principal.id,
            tenant=principal.tenant,
            action="quarantine.shown",
            target=opened.row.report_id,
        )
    return shown


def require_revision(opened: Opened, revision: int) -> None:
    if opened.correction.revision != revision:
        raise collision(opened.row.report_id, now=opened.correction.revision)


def collision(report_id: str, **now: int) -> ReviewersCollide:
    return ReviewersCollide(
        f"the report {report_id!r} was corrected since the revision that you name",
        field="revision",
        mend="Show it again, look at what changed, and repeat with the revision that it has now.",
        **now,
    )


def not_releasable(row: Any) -> NotReleasable:
    return NotReleasable(
        f"the report {row.report_id!r} was not de-identified ({row.reason})",
        mend="Reject it, or send it again with status 'amended' in a form that can be de-identified.",
    )


def without_spans(row: Any) -> NotReleasable:
    """For a rejection that calls its spans right and whole."""
    return NotReleasable(
        f"the report {row.report_id!r} was not de-identified ({row.reason}), and has no spans to be complete",
        field="complete",
        mend="Reject it without 'complete'.",
    )


async def quarantined_row(principal: Principal, report_id: str, database: Database) -> Any:
    async with database.read() as session:
        row = await store.find(session, report_id, principal.tenant)
        if row is None:
            raise UnknownReport(f"deidentification has no report {report_id!r}", field="report_id")
        await require_quarantined(session, report_id)
    return row


async def require_quarantined(session: Any, report_id: str) -> None:
    displaced = await store.displaced_as(session, report_id)
    if displaced is not None:
        raise DisplacedReport(
            f"the report {report_id!r} is {displaced}",
            field="report_id",
            mend="Nothing is to be done; the report that replaced it has an id of its own.",
            state=displaced,
        )
    row = await store.find(session, report_id)
    if row is None or row.state != State.QUARANTINED:
        state = row.state if row is not None else "gone"
        raise NotQuarantined(f"the report {report_id!r} is {state}", field="report_id", state=state)
