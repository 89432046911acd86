"""Blobs by zone: `blobs/<zone>/<tenant>/<subject>/<id>`, each sealed under its subject's data key."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag

from curbside.contracts.v1 import events_pb2
from curbside.errors import BadInput, CurbsideError, NotFound, StorageFull
from curbside.storage.directories import FULL_DISK, full_disk, private_directory, sync
from curbside.storage.keys import DataKeys, KeyRing, seal, unseal
from curbside.storage.zones import Zone, ZoneForbidden

_MAGIC: Final = b"CSB1"
_NAME: Final = re.compile(r"^[a-z0-9][a-z0-9-]{0,127}$")


class BlobNotFound(NotFound):
    code = "storage.blob-not-found"


class BlobDamaged(CurbsideError):
    """A blob's bytes were changed, or moved to another place, since they were written."""

    code = "storage.blob-damaged"


class BadBlobName(BadInput):
    code = "storage.bad-blob-name"


@dataclass(frozen=True, slots=True)
class BlobRef:
    """Where a blob lies, and the keyed hash (HMAC-SHA256, hex) and size in bytes of its plaintext."""

    zone: Zone
    tenant: str
    subject: str
    blob_id: str
    keyed_hash: str
    size: int

    def to_message(self) -> events_pb2.BlobRef:
        return events_pb2.BlobRef(
            zone=self.zone.value,
            tenant=self.tenant,
            subject=self.subject,
            blob_id=self.blob_id,
            keyed_hash=self.keyed_hash,
            size=self.size,
        )

    @classmethod
    def from_message(cls, message: events_pb2.BlobRef) -> BlobRef:
        return cls(
            Zone(message.zone),
            message.tenant,
            message.subject,
            message.blob_id,
            message.keyed_hash,
            message.size,
        )

    def to_json(self) -> dict[str, str | int]:
        """For a column of the service that holds the reference."""
        return {name: getattr(self, name) for name in self.__slots__} | {"zone": self.zone.value}

    @classmethod
    def from_json(cls, data: dict[str, str | int]) -> BlobRef:
        return cls(
            Zone(str(data["zone"])),
            str(data["tenant"]),
            str(data["subject"]),
            str(data["blob_id"]),
            str(data["keyed_hash"]),
            int(data["size"]),
        )


class BlobStore:
    """A directory of sealed blobs, opened with the zones that one service was granted.

    A blob of no subject (a dataset, a model) has the subject "platform".
    """

    def __init__(
        self,
        root: Path,
        keys: DataKeys,
        ring: KeyRing,
        *,
        grants: frozenset[Zone],
        min_free_bytes: int = 0,
    ) -> None:
        self._root = root
        self._keys = keys
        self._ring = ring
        self._grants = grants
        self._min_free_bytes = min_free_bytes
        self._entered: set[Zone] = set()  # zones whose own directory we know to be on the disk

    async def put(self, zone: Zone, data: bytes, *, tenant: str, subject: str = "platform") -> BlobRef:
        """Seal `data` and make it durable (fsync of file and directory) before returning its reference."""
        self._require(zone)
        return await asyncio.to_thread(self._put, zone, data, tenant, subject)

    async def get(self, ref: BlobRef) -> bytes:
        """The plaintext. Raises BlobNotFound, BlobDamaged, or DataKeyErased after an erasure."""
        self._require(ref.zone)
        return await asyncio.to_thread(self._get, ref)

    async def delete(self, ref: BlobRef) -> None:
        """Remove the blob; removing it again does nothing."""
        self._require(ref.zone)
        await asyncio.to_thread(self._path(ref).unlink, missing_ok=True)

    async def check_space(self) -> None:
        """Raise StorageFull where less is free than an intake needs to finish what it began."""
        private_directory(self._root)
        free = shutil.disk_usage(self._root).free
        if free < self._min_free_bytes:
            raise StorageFull(
                f"only {free // 1_000_000} MB are free where {str(self._root)!r} lies",
                mend=f"Free at least {self._min_free_bytes // 1_000_000} MB on that disk.",
            )

    def _require(self, zone: Zone) -> None:
        if zone not in self._grants:
            raise ZoneForbidden(f"this service was not granted the zone {zone.value!r}", field="zone")

    def _path(self, ref: BlobRef) -> Path:
        for name in (ref.tenant, ref.subject, ref.blob_id):
            if not _NAME.match(name):
                raise BadBlobName("a blob's tenant, subject and id are lower-case letters, digits and dashes")
        return self._root / ref.zone.value / ref.tenant / ref.subject / ref.blob_id

    def _put(self, zone: Zone, data: bytes, tenant: str, subject: str) -> BlobRef:
        keyed_hash = self._ring.hmac_hex(f"hash-{zone}", data)
        ref = BlobRef(zone, tenant, subject, secrets.token_hex(16), keyed_hash, len(data))
        path = self._path(ref)
        sealed = _MAGIC + seal(self._keys.get_or_create(zone, tenant, subject), data, _associated(ref))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            scratch = path.with_name(path.name + ".part")
            try:
                with open(scratch, "xb") as file:
                    file.write(sealed)
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(scratch, path)
            except OSError:
                with contextlib.suppress(OSError):
                    scratch.unlink()
                raise
            for directory in (path.parent, path.parent.parent, path.parent.parent.parent):
                sync(directory)
            if zone not in self._entered:
                # Another process may have made the zone and not have come to this yet.
                sync(self._root)
                sync(self._root.parent)
                self._entered.add(zone)
        except OSError as error:
            if error.errno in FULL_DISK:
                raise full_disk(self._root) from error
            raise
        return ref

    def _get(self, ref: BlobRef) -> bytes:
        try:
            sealed = self._path(ref).read_bytes()
        except FileNotFoundError:
            raise BlobNotFound(f"there is no blob {ref.blob_id!r} in zone {ref.zone.value!r}") from None
        key = self._keys.get(ref.zone, ref.tenant, ref.subject)
        try:
            if not sealed.startswith(_MAGIC):
                raise InvalidTag
            return unseal(key, sealed[len(_MAGIC) :], _associated(ref))
        except InvalidTag:
            raise BlobDamaged(
                f"the blob {ref.blob_id!r} in zone {ref.zone.value!r} was changed on disk",
                mend="Restore it from backup.",
            ) from None


def _associated(ref: BlobRef) -> bytes:
    # Bound to its place, so that one patient's blob cannot be passed off as another's.
    return f"curbside-blob:1:{ref.zone}:{ref.tenant}:{ref.subject}:{ref.blob_id}".encode()
