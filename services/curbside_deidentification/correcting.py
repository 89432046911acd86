"""A reviewer's corrections of a quarantined report's spans: accept, remove, add. Each is a revision."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from curbside.identity.principal import Principal
from curbside.phi import Category
from curbside.storage.blobs import BlobStore
from curbside.storage.database import Database, Transaction
from curbside.storage.zones import Zone
from curbside_deidentification import store
from curbside_deidentification.domain.corrections import Review
from curbside_deidentification.domain.gate import document_lexicon
from curbside_deidentification.domain.policy import load_policy
from curbside_deidentification.domain.spans import Span, count_by_category
from curbside_deidentification.quarantine import (
    Opened,
    Shown,
    collision,
    look,
    not_releasable,
    open_report,
    require_quarantined,
    require_revision,
    shown_of,
)
from curbside_deidentification.recognisers.repeated_name import repetitions
from curbside_deidentification.store import Correction


@dataclass(frozen=True)
class Addition:
    """PHI that was missed, in code points. `everywhere`: also where the same words stand again."""

    start: int
    end: int
    category: Category
    reason: str = ""
    instead: bool = False  # of the spans that it overlaps
    everywhere: bool = True


async def accept_span(
    principal: Principal,
    report_id: str,
    span_id: str,
    reason: str,
    revision: int,
    *,
    database: Database,
    blobs: BlobStore,
) -> Shown:
    """Say that a span is PHI."""
    opened = await open_report(principal, report_id, database, blobs)
    return await _correct(
        principal, opened, opened.review.accept(span_id, reason), revision, "accepted", database, blobs
    )


async def remove_span(
    principal: Principal,
    report_id: str,
    span_id: str,
    reason: str,
    revision: int,
    *,
    database: Database,
    blobs: BlobStore,
) -> Shown:
    """Say that a span is no PHI, a false alarm."""
    opened = await open_report(principal, report_id, database, blobs)
    changed = opened.review.remove(span_id, reason, by=principal.id)
    return await _correct(principal, opened, changed, revision, "removed", database, blobs)


async def add_span(
    principal: Principal,
    report_id: str,
    addition: Addition,
    revision: int,
    *,
    database: Database,
    blobs: BlobStore,
) -> Shown:
    """Say that something is PHI that nobody found."""
    opened = await open_report(principal, report_id, database, blobs)
    changed = await asyncio.to_thread(_added, opened, addition)
    return await _correct(principal, opened, changed, revision, "added", database, blobs)


def _added(opened: Opened, addition: Addition) -> Review:
    text = opened.document.text.reveal()
    changed = opened.review.add(
        text,
        addition.start,
        addition.end,
        addition.category,
        reason=addition.reason,
        instead=addition.instead,
    )
    if not addition.everywhere:
        return changed
    known = {one.id for one in opened.review.spans if one.active}
    lexicon = document_lexicon(text, load_policy().lexicon)
    for one in changed.spans:
        if one.id not in known and one.active:
            parts: list[Span] = []
            if addition.category is Category.NAME:
                parts = list(repetitions(text, [one.span], lexicon))
            changed = changed.with_mentions(text, one.span, lexicon, parts)
    return changed


async def _correct(
    principal: Principal,
    opened: Opened,
    changed: Review,
    revision: int,
    says: str,
    database: Database,
    blobs: BlobStore,
) -> Shown:
    """Keep `changed` as the next revision, and show it. What already is so is shown and changes nothing, so
    that a request may be sent twice."""
    row = opened.row
    if not row.releasable:
        raise not_releasable(row)
    if changed == opened.review:
        return await look(principal, opened, database)
    require_revision(opened, revision)
    ref = await blobs.put(Zone.PHI, changed.to_bytes(), tenant=row.tenant, subject=row.subject)
    correction = Correction(revision + 1, ref)
    shown = await shown_of(replace(opened, correction=correction, review=changed))

    async def keep(transaction: Transaction) -> None:
        await require_quarantined(transaction.session, row.report_id)
        if not await store.correct(
            transaction.session,
            row.report_id,
            row.tenant,
            after=revision,
            spans=ref,
            by=principal.id,
            at=datetime.now(UTC),
        ):
            raise collision(row.report_id)
        await transaction.record(
            actor=principal.id,
            tenant=row.tenant,
            action=f"quarantine.span-{says}",
            target=row.report_id,
            details=_difference(opened.review, changed) | {"revision": revision + 1},
        )

    undone = False
    try:
        async with database.begin(row.report_id) as transaction:
            try:
                await keep(transaction)
            except BaseException:
                undone = True
                raise
    finally:
        # Where the commit itself failed nobody knows whether it was: what it may name must stay.
        if undone:
            await blobs.delete(ref)
    if opened.correction.spans is not None:
        await blobs.delete(opened.correction.spans)
    return shown


def _difference(before: Review, after: Review) -> dict[str, Any]:
    """What a correction changed, for the audit: how many by category, and the codes. Never where."""
    old = {one.id: one for one in before.spans}
    changed = [one for one in after.spans if old.get(one.id) != one]
    codes = sorted({one.reason for one in changed if one.reason})
    return {"spans": count_by_category(one.span for one in changed), "codes": codes}
