"""Archives that are whole are worked through, lot by lot into their batches, and on after a kill.

A lot's reports are durable before its progress is noted. What is brought again after a kill is there already.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

from curbside.errors import BadInput, CurbsideError, NotFound, Unavailable
from curbside.identity.principal import Principal
from curbside.storage.objects import BlobDamaged
from curbside_ingestion.batches.handlers import part_of
from curbside_ingestion.batches.store import add_parts, end_batch
from curbside_ingestion.domain.archives import ZIP
from curbside_ingestion.domain.rows import BadRow, GoodRow
from curbside_ingestion.domain.uploads import UploadState, read_metadata
from curbside_ingestion.extraction.pool import CostlyDocument, ParserEnded
from curbside_ingestion.handlers import Receive
from curbside_ingestion.receiving import Accepted, Refused
from curbside_ingestion.uploads import store
from curbside_ingestion.uploads.handlers import Uploads
from curbside_ingestion.uploads.reading import Archives, Lot
from curbside_ingestion.uploads.store import Progress, Upload

log = logging.getLogger(__name__)
_POLL: Final = timedelta(seconds=5)  # for claims that ran out, and what other processes completed
_LEASE: Final = timedelta(minutes=1)  # renewed while the work goes on
_BACK_OFF: Final = timedelta(seconds=2)  # while too much waits, or a disk is full
_CLEANING: Final = timedelta(minutes=1)
_REMEMBERED: Final = timedelta(days=7)  # that an upload ended, for whoever asks
_MOST_ATTEMPTS: Final = 3
_MOST_PROBLEMS: Final = 10_000  # refused rows of one archive that are listed; all are counted
_LOT: Final = 100


class _NotOurs(Exception):
    """Another process has it in hand."""


@dataclass(frozen=True)
class UploadQueue:
    """Works one archive at a time: those who wait for an answer go first."""

    uploads: Uploads
    archives: Archives
    receive: Receive
    moved: Callable[[], None]  # told when a batch has changed
    arrived: asyncio.Event
    claimant: str = field(default_factory=lambda: secrets.token_hex(16))

    async def run(self) -> None:
        """Work for as long as the service runs."""
        cleaned_at: datetime | None = None
        while True:
            self.arrived.clear()
            try:
                now = datetime.now(UTC)
                if cleaned_at is None or now - cleaned_at > _CLEANING:
                    await self.clean()
                    cleaned_at = now
                worked = await self.work_once()
            except CurbsideError as error:
                log.warning("uploads wait", extra={"error": error.code})
                await asyncio.sleep(_BACK_OFF.total_seconds())
                continue
            if not worked:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self.arrived.wait(), _POLL.total_seconds())

    async def work_once(self) -> bool:
        """Take one archive to its end; False where none waits. Raises what may pass by itself."""
        upload = await self._claimed()
        if upload is None:
            return False
        try:
            async with self._renewing(upload):
                await self._work(upload)
        except _NotOurs:
            log.info("an upload went on elsewhere", extra={"upload": upload.upload_id})
        return True

    async def clean(self) -> None:
        """End what has expired, and remove what is needed no more."""
        database, now = self.uploads.database, datetime.now(UTC)
        async with database.begin("uploads cleaning") as transaction:
            await store.expire(transaction.session, now)
        async with database.read() as session:
            old = await store.ended_before(session, now - _REMEMBERED, _LOT)
        for upload_id, tenant in old:
            # Again: a request that was under way when it ended, and was killed, may have left a piece.
            await self.uploads.empty(upload_id, tenant)
            async with database.begin(f"upload {upload_id}") as transaction:
                await store.forget(transaction.session, upload_id)
        while True:
            async with database.read() as session:
                ended = await store.to_empty(session, _LOT)
            for upload_id, tenant in ended:
                await self.uploads.empty(upload_id, tenant)
            if len(ended) < _LOT:
                return

    async def _claimed(self) -> Upload | None:
        database, now = self.uploads.database, datetime.now(UTC)
        # One process works on an SQLite file: what another had in hand is nobody's.
        alone = None if database.is_postgres else self.claimant
        async with database.read() as session:
            if await store.next_to_work(session, now=now, but_of=alone) is None:
                return None  # nobody's turn to write is taken for nothing
        async with database.begin("uploads claimed") as transaction:
            session = transaction.session
            upload = await store.next_to_work(session, now=now, but_of=alone, lock=True)
            if upload is not None:
                await store.claim(session, upload.upload_id, self.claimant, now + _LEASE, upload.attempts + 1)
        return upload

    @asynccontextmanager
    async def _renewing(self, upload: Upload) -> AsyncIterator[None]:
        renewing = asyncio.create_task(self._renew(upload.upload_id))
        try:
            yield
        finally:
            renewing.cancel()

    async def _renew(self, upload_id: str) -> None:
        while True:
            await asyncio.sleep(_LEASE.total_seconds() / 3)
            with contextlib.suppress(CurbsideError):  # where it lasts, the claim runs out, and is seen to
                async with self.uploads.database.begin(f"upload {upload_id}") as transaction:
                    until = datetime.now(UTC) + _LEASE
                    await store.renew(transaction.session, upload_id, self.claimant, until)

    async def _work(self, upload: Upload) -> None:
        problem: CurbsideError | None = None
        try:
            if upload.attempts >= _MOST_ATTEMPTS:
                raise CostlyDocument("the archive cannot be read: no attempt went on", field="body")
            await self._take_in_lots(upload)
        except (BadInput, NotFound, BlobDamaged) as error:
            problem = error
        except ParserEnded:  # an attempt: one of its files may have taken all memory
            await self._release(upload, upload.attempts + 1)
            raise
        except CurbsideError:
            await self._release(upload, upload.attempts)
            raise
        except _NotOurs:
            raise
        except (
            Exception
        ) as error:  # what nobody foresaw of an archive must not end the service again and again
            log.error("an archive failed", extra={"upload": upload.upload_id}, exc_info=error)
            await self._release(upload, upload.attempts + 1)
            return
        await self._end(upload, problem)

    async def _take_in_lots(self, upload: Upload) -> None:
        async with self.uploads.database.read() as session:
            pieces = await store.pieces_of(session, upload.upload_id)
        principal = Principal(upload.actor, upload.tenant, frozenset())
        progress = Progress(upload.members, upload.rows, upload.parts)
        listed = 0
        columns = read_metadata(self.uploads.metadata_of(upload)).columns
        async for lot in self.archives.lots(upload, pieces, columns):
            outcomes = await self._take_in(lot, principal)
            progress = Progress(lot.members, progress.rows + len(lot.rows), progress.parts + 1)
            part = part_of(
                str(upload.batch_id), progress.parts, outcomes, most=max(0, _MOST_PROBLEMS - listed)
            )
            listed += len(part.problems)
            async with self.uploads.database.begin(f"upload {upload.upload_id}") as transaction:
                if not await store.go_on(transaction.session, upload.upload_id, self.claimant, progress):
                    raise _NotOurs
                await transaction.run(partial(add_parts, parts=[part]))
            self.moved()

    async def _take_in(self, lot: Lot, principal: Principal) -> Sequence[Accepted | Refused | BadRow]:
        """Take in the lot's reports, again and again where too much waits or a disk is full."""
        outcomes: list[Accepted | Refused | BadRow] = [row for row in lot.rows if isinstance(row, BadRow)]
        left = [row for row in lot.rows if isinstance(row, GoodRow)]
        while left:
            answers = await self.receive(left, ZIP, principal)
            passing = {
                one.row
                for one in answers
                if isinstance(one, Refused) and isinstance(one.problem, Unavailable)
            }
            outcomes += [one for one in answers if one.row not in passing]
            left = [row for row in left if row.row in passing]
            if left:
                await asyncio.sleep(_BACK_OFF.total_seconds())
        return outcomes

    async def _release(self, upload: Upload, attempts: int) -> None:
        """Give it back, to be tried again."""
        async with self.uploads.database.begin(f"upload {upload.upload_id}") as transaction:
            now = datetime.now(UTC) + _BACK_OFF
            if await store.renew(transaction.session, upload.upload_id, self.claimant, now):
                await store.claim(transaction.session, upload.upload_id, "", now, attempts)

    async def _end(self, upload: Upload, problem: CurbsideError | None) -> None:
        now = datetime.now(UTC)
        state = UploadState.FINISHED if problem is None else UploadState.FAILED
        async with self.uploads.database.begin(f"upload {upload.upload_id}") as transaction:
            session = transaction.session
            if not await store.renew(session, upload.upload_id, self.claimant, now):
                raise _NotOurs
            await store.close(session, upload.upload_id, state, was=UploadState.COMPLETE)
            said = problem.problem() if problem is not None else None
            await end_batch(session, str(upload.batch_id), now, said)
            await transaction.record(
                actor=upload.actor,
                tenant=upload.tenant,
                action=f"upload.{state}",
                target=upload.upload_id,
                details={"batch": upload.batch_id, "reason": problem.code if problem is not None else None},
            )
        self.moved()
        await self.uploads.empty(upload.upload_id, upload.tenant)
