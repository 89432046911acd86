"""Commands of uploads: begin one, add bytes, show it, end it."""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from curbside.errors import CurbsideError, TooBusy
from curbside.identity.principal import Principal
from curbside.storage.blobs import BlobRef, BlobStore
from curbside.storage.database import Database, Transaction
from curbside.storage.keys import KeyRing
from curbside.storage.zones import Zone
from curbside_ingestion.batches.handlers import new_batch_id
from curbside_ingestion.batches.store import NewBatch, add_batches
from curbside_ingestion.domain.problems import TruncatedReport
from curbside_ingestion.domain.report import read_source
from curbside_ingestion.domain.uploads import (
    MOST_PIECES,
    PIECE_BYTES,
    Checksum,
    ExpiredUpload,
    Metadata,
    OversizedUpload,
    UnknownUpload,
    UploadInHand,
    UploadState,
    WrongOffset,
)
from curbside_ingestion.sealing import METADATA, opened_bytes, sealed_bytes
from curbside_ingestion.uploads import store
from curbside_ingestion.uploads.store import Piece, Upload

DEFAULT_SOURCE: Final = "upload"
_RETRY_AFTER: Final = 60


@dataclass(frozen=True)
class Uploads:
    """What every command of uploads needs."""

    database: Database
    blobs: BlobStore
    ring: KeyRing
    expiry: timedelta
    most_open: int  # of one principal
    completed: Callable[[], None]  # told when there is something to work through

    async def begin(self, length: int, metadata: Metadata, source: str, principal: Principal) -> Upload:
        """Raises TooBusy, StorageFull."""
        await self.blobs.check_space()
        now = datetime.now(UTC)
        upload_id, tenant = _new_upload_id(), principal.tenant
        upload = Upload(
            upload_id=upload_id,
            tenant=tenant,
            actor=principal.id,
            source=read_source(metadata.source or source),
            media=metadata.media,
            length=length,
            received=0,
            metadata=sealed_bytes(METADATA, metadata.given.encode(), tenant, upload_id, self.ring),
            state=UploadState.OPEN,
            created_at=now,
            expires_at=now + self.expiry,
        )
        async with self.database.begin(f"uploads of {tenant} {principal.id}") as transaction:
            if await store.count_open(transaction.session, tenant, principal.id) >= self.most_open:
                raise TooBusy(
                    f"{self.most_open} uploads of this token are not worked through yet",
                    mend="Finish one of them, or end one with DELETE.",
                    retry_after=_RETRY_AFTER,
                )
            await store.add(transaction.session, upload)
            await _note(transaction, "upload.begun", upload, principal.id)
        return upload

    async def find(self, upload_id: str, principal: Principal) -> Upload:
        """Raises UnknownUpload, of another tenant's too, and ExpiredUpload."""
        async with self.database.read() as session:
            upload = await store.find(session, upload_id, principal.tenant)
        if upload is None or upload.state is UploadState.TERMINATED:
            raise UnknownUpload("there is no such upload", field="upload_id", mend="Begin it anew.")
        over = upload.state is UploadState.OPEN and upload.expires_at <= datetime.now(UTC)
        if over or upload.state is UploadState.EXPIRED:
            raise ExpiredUpload("the upload has expired", field="upload_id", mend="Begin it anew.")
        return upload

    def metadata_of(self, upload: Upload) -> str:
        """What its sender said of it, as it was sent."""
        return opened_bytes(METADATA, upload.metadata, upload.tenant, upload.upload_id, self.ring).decode()

    async def append(
        self,
        upload_id: str,
        offset: int,
        size: int | None,
        stream: AsyncIterator[bytes],
        checksum: Checksum | None,
        principal: Principal,
    ) -> Upload:
        """Add what `stream` brings behind `offset`, of `size` bytes where that is known; what is said to be
        there is durable. Of a stream that breaks off what came is kept, unless a checksum was to be met.

        Raises WrongOffset, OversizedUpload, ChecksumMismatch, what `stream` raises, StorageFull.
        """
        upload = await self.find(upload_id, principal)
        if offset != upload.received or upload.state is not UploadState.OPEN:
            raise _wrong_offset(upload.received)
        if size is not None and offset + size > upload.length:
            raise _too_much(upload)
        async with self.database.read() as session:
            room = MOST_PIECES - await store.count_pieces(session, upload_id)
        adding = _Adding(self, upload, whole=checksum is not None, room=room)
        try:
            async for data in stream:
                if checksum is not None:
                    checksum.digest.update(data)
                await adding.take(data)
            if checksum is not None:
                checksum.check()
            await adding.finish()
        except TruncatedReport:
            if checksum is None:
                await adding.finish()
            else:
                await adding.undo()
            raise
        except CurbsideError:
            await adding.undo()
            raise
        return await self.find(upload_id, principal)

    async def terminate(self, upload_id: str, principal: Principal) -> None:
        """End it, and remove what it brought. Raises UploadInHand where all of it is here."""
        upload = await self.find(upload_id, principal)
        in_hand = UploadInHand(
            "all bytes are here, and are being worked through",
            field="upload_id",
            mend="Wait for its batch to be finished.",
        )
        if upload.state is UploadState.COMPLETE:
            raise in_hand
        async with self.database.begin(f"upload {upload_id}") as transaction:
            session, ended = transaction.session, UploadState.TERMINATED
            if not await store.close(session, upload_id, ended, was=upload.state):
                raise in_hand
            await _note(transaction, "upload.terminated", upload, principal.id)
        await self.empty(upload_id, upload.tenant)

    async def empty(self, upload_id: str, tenant: str) -> None:
        """Remove the pieces of an upload that needs them no more, also those that no record names: their key
        goes first. Interrupted, it is done again."""
        await self.blobs.forget(Zone.PHI, tenant, subject_of(upload_id))
        async with self.database.begin(f"upload {upload_id}") as transaction:
            await store.empty(transaction.session, upload_id)

    async def record(self, upload: Upload, offset: int, pieces: Sequence[Piece], end: int) -> bool:
        """Note `pieces`; False where another request was first. The last bytes make it a batch."""
        now = datetime.now(UTC)
        async with self.database.begin(f"upload {upload.upload_id}") as transaction:
            session = transaction.session
            expires_at = now + self.expiry
            if not await store.extend(
                session, upload.upload_id, offset=offset, pieces=pieces, end=end, expires_at=expires_at
            ):
                return False
            if end == upload.length:
                batch = NewBatch(new_batch_id(), upload.tenant, upload.actor, now, None)
                await transaction.run(lambda writing: add_batches(writing, [batch]))
                await store.complete(session, upload.upload_id, batch.batch_id)
                await _note(transaction, "upload.completed", upload, upload.actor)
        if end == upload.length:
            self.completed()
        return True


class _Adding:
    """Bytes on their way in: gathered, sealed and written piece by piece. Each is noted as soon as it is
    durable, or all together where they are to be taken `whole` or not at all."""

    def __init__(self, uploads: Uploads, upload: Upload, *, whole: bool, room: int) -> None:
        self._uploads = uploads
        self._upload = upload
        self._whole = whole
        self._room = room  # for pieces
        self._gathered = bytearray()
        self._noted = self._written = upload.received
        self._pieces: list[Piece] = []  # written, not noted

    async def take(self, data: bytes) -> None:
        if self._written + len(self._gathered) + len(data) > self._upload.length:
            raise _too_much(self._upload)
        self._gathered += data
        while len(self._gathered) >= PIECE_BYTES:
            piece = bytes(self._gathered[:PIECE_BYTES])
            del self._gathered[:PIECE_BYTES]
            await self._write(piece)
            if not self._whole:
                await self._note()

    async def finish(self) -> None:
        if self._gathered:
            await self._write(bytes(self._gathered))
            self._gathered.clear()
        await self._note()

    async def undo(self) -> None:
        """Remove what was written and not noted."""
        for piece in self._pieces:
            await self._uploads.blobs.delete(piece.blob)
        self._pieces.clear()

    async def _write(self, data: bytes) -> None:
        if self._room <= 0:
            raise OversizedUpload(
                f"the archive came in more than {MOST_PIECES} pieces",
                field="body",
                mend="Begin it anew, and send megabytes at a time.",
            )
        self._room -= 1
        blobs, upload = self._uploads.blobs, self._upload
        await blobs.check_space()
        ref: BlobRef = await blobs.put(
            Zone.PHI, data, tenant=upload.tenant, subject=subject_of(upload.upload_id)
        )
        self._pieces.append(Piece(self._written, ref))
        self._written += len(data)

    async def _note(self) -> None:
        if not await self._uploads.record(self._upload, self._noted, self._pieces, self._written):
            raise _wrong_offset(None)
        self._noted = self._written
        self._pieces.clear()


def subject_of(upload_id: str) -> str:
    """Each upload has a data key of its own, which goes with it: of whom its archive is, nobody knows yet."""
    return f"upload-{upload_id}"


def _new_upload_id() -> str:
    return f"{time.time_ns() // 1_000_000:012x}{secrets.token_hex(10)}"


def _wrong_offset(offset: int | None) -> WrongOffset:
    where = {} if offset is None else {"offset": offset}
    return WrongOffset(
        "the upload is not at this offset, or is whole already",
        field="Upload-Offset",
        mend="Ask for it with HEAD, and go on from there.",
        **where,
    )


def _too_much(upload: Upload) -> OversizedUpload:
    return OversizedUpload(
        f"more bytes came than the {upload.length} of Upload-Length",
        field="body",
        mend="Begin the upload anew, with the size that it has.",
    )


async def _note(transaction: Transaction, action: str, upload: Upload, actor: str) -> None:
    await transaction.record(
        actor=actor,
        tenant=upload.tenant,
        action=action,
        target=upload.upload_id,
        details={"bytes": upload.length, "source": upload.source},
    )
