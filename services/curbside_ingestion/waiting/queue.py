"""Acknowledged documents become text: one after another, and a report whose document gives none is rejected.

Claims are leases: what a service that died had in hand is taken up again when its time is over.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from curbside.errors import BadInput, CurbsideError
from curbside.storage.blobs import BlobStore
from curbside.storage.database import Database
from curbside.storage.keys import DataKeyErased, KeyRing
from curbside.storage.zones import Zone
from curbside_ingestion import store
from curbside_ingestion.arriving import document_of
from curbside_ingestion.domain.report import Submission, read_submission
from curbside_ingestion.domain.states import ReportState
from curbside_ingestion.extraction.found import Kind, Quality
from curbside_ingestion.extraction.pool import CostlyDocument, Extractors, ParserEnded
from curbside_ingestion.receiving import received
from curbside_ingestion.sealing import SAID, opened
from curbside_ingestion.waiting import store as extractions

log = logging.getLogger(__name__)

_POLL: Final = timedelta(seconds=2)  # for claims that ran out; what arrives here wakes us at once
# A service that is killed again and again ends what it has in hand each time, whoever's fault it is. So after
# three attempts a document waits for its lease to run out, minutes, and two more must fail so far apart.
_ATTEMPTS_AT_ONCE: Final = 3
_MOST_ATTEMPTS: Final = 5
_ACTOR: Final = "service:ingestion"
_BACK_OFF: Final = timedelta(seconds=5)  # while a database or a disk does not answer


@dataclass(frozen=True)
class _Read:
    submission: Submission
    quality: Quality | None


@dataclass(frozen=True)
class ExtractionQueue:
    """Takes documents out of the queue, `at_once` side by side, each for at most `lease`."""

    database: Database
    blobs: BlobStore
    ring: KeyRing
    extractors: Extractors
    at_once: int
    lease: timedelta
    max_characters: int  # of one report
    again: timedelta = timedelta(minutes=1)  # after which one is tried that waits for Tesseract or a disk
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """Extract for as long as the service runs."""
        ours = self.database.is_postgres
        while True:
            self.arrived.clear()
            try:
                if not ours:  # one process works on an SQLite file: no claim of before is anybody's
                    async with self.database.begin() as transaction:
                        await extractions.unclaim(transaction.session, tried_less_than=_ATTEMPTS_AT_ONCE)
                    ours = True
                done = await self.extract_some()
            except CurbsideError as error:  # what is claimed is tried again when its lease is over
                log.warning("documents wait", extra={"error": error.code})
                await asyncio.sleep(_BACK_OFF.total_seconds())
                continue
            if not done:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self.arrived.wait(), _POLL.total_seconds())

    async def extract_some(self) -> int:
        """Claim some documents and take each to its end; return how many there were."""
        now = datetime.now(UTC)
        async with self.database.read() as session:
            if not await extractions.count_waiting(session):
                return 0  # nobody's turn to write is taken for nothing
        async with self.database.begin("extraction") as transaction:
            claimed = await extractions.claim(
                transaction.session, now=now, until=now + self.lease, limit=self.at_once
            )
        outcomes = await asyncio.gather(*(self._finish(one) for one in claimed), return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
        return len(claimed)

    async def _finish(self, extraction: extractions.Extraction) -> None:
        try:
            outcome = await self._outcome(extraction)
            if isinstance(outcome, _Read):
                await _keep(extraction, outcome, self.database, self.blobs)
            else:
                await _reject(extraction, outcome, self.database)
        except ParserEnded:  # an attempt: it may have been the document that took all memory
            raise
        except CurbsideError:  # Tesseract is missing, a disk does not answer or is full: that is none
            async with self.database.begin(extraction.report_id) as transaction:
                await extractions.forgive(
                    transaction.session, extraction.report_id, until=datetime.now(UTC) + self.again
                )
            raise

    async def _outcome(self, extraction: extractions.Extraction) -> _Read | CurbsideError:
        """The report of the document, or why there is none. Raises what is no fault of the document."""
        if extraction.attempts > _MOST_ATTEMPTS:
            return CostlyDocument("the document cannot be read: no attempt came to its end", field="body")
        said = opened(SAID, extraction.said, extraction.tenant, extraction.report_id, self.ring)
        assert said is not None
        try:
            data = await self.blobs.get(extraction.original)
            (found,) = (await self.extractors.extract(data, Kind(extraction.kind))).found
            row = json.loads(said.reveal()) | {"text": found.row["text"]}
            return _Read(read_submission(row, max_characters=self.max_characters), found.quality)
        except (BadInput, DataKeyErased) as problem:
            return problem


async def _keep(
    extraction: extractions.Extraction, read: _Read, database: Database, blobs: BlobStore
) -> None:
    document = document_of(read.submission)
    assert document is not None
    text = await blobs.put(Zone.PHI, document, tenant=extraction.tenant, subject=extraction.subject)
    now = datetime.now(UTC)
    async with database.begin(extraction.report_id) as transaction:
        state = await extractions.end(transaction.session, extraction.report_id)
        if state is not None:
            quality = asdict(read.quality) if read.quality is not None else None
            await store.set_text(transaction.session, extraction.report_id, text, quality)
            if state is ReportState.PENDING:  # else it was amended, retracted or erased meanwhile
                await transaction.publish(
                    received(extraction.report_id, read.submission, extraction.original, text, now)
                )
            await transaction.record(
                actor=_ACTOR,
                tenant=extraction.tenant,
                action="report.extracted",
                target=extraction.report_id,
                details={"kind": extraction.kind, "quality": quality},
            )
    if state is None:  # another service was faster
        await blobs.delete(text)


async def _reject(extraction: extractions.Extraction, problem: CurbsideError, database: Database) -> None:
    now = datetime.now(UTC)
    async with database.begin(extraction.report_id) as transaction:
        state = await extractions.end(transaction.session, extraction.report_id)
        if state is ReportState.PENDING:
            rejected = store.Step(extraction.report_id, ReportState.REJECTED, now, problem.code)
            await store.move_all(transaction, [rejected])
        if state is not None:
            await transaction.record(
                actor=_ACTOR,
                tenant=extraction.tenant,
                action="report.rejected",
                target=extraction.report_id,
                details={"kind": extraction.kind, "reason": problem.code},
            )
