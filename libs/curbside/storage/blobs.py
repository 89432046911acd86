"""Blobs by zone: `<zone>/<tenant>/<subject>/<id>`, each sealed under its subject's data key.

Many that become durable together lie in one object, `<zone>/<tenant>/packs/<id>`: an fsync, or a request to
S3, costs more than sealing what it writes.
"""

from __future__ import annotations

import asyncio
import contextvars
import re
import secrets
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, ParamSpec, TypeVar

from cryptography.exceptions import InvalidTag

from curbside.contracts.v1 import events_pb2
from curbside.errors import BadInput, NotFound, TooLarge
from curbside.storage.keys import SEAL_BYTES, DataKeyErased, DataKeys, KeyRing, nonces, seal, unseal
from curbside.storage.objects import BlobDamaged as BlobDamaged
from curbside.storage.objects import Objects, Part
from curbside.storage.zones import Zone, ZoneForbidden

_MAGIC: Final = b"CSB1"
_MOST_BYTES: Final = 2**31 - 1  # OpenSSL seals no more in one piece
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,127}")
# A blob in a pack: which, where it begins, and how many bytes it has there, sealed.
_PACKED: Final = re.compile(r"(?P<pack>[0-9a-f]{32})-(?P<start>\d{1,10})-(?P<size>\d{1,10})")
_PACKS: Final = "packs"  # where a subject's name stands otherwise, which is never this short a word
_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")


class BlobNotFound(NotFound):
    code = "storage.blob-not-found"


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
        return {
            "zone": self.zone.value,
            "tenant": self.tenant,
            "subject": self.subject,
            "blob_id": self.blob_id,
            "keyed_hash": self.keyed_hash,
            "size": self.size,
        }

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
    """Sealed blobs, opened with the zones that one service was granted.

    A blob of no subject (a dataset, a model) has the subject "platform".
    """

    def __init__(self, objects: Objects, keys: DataKeys, ring: KeyRing, *, grants: frozenset[Zone]) -> None:
        self._objects = objects
        self._keys = keys
        self._ring = ring
        self._grants = grants
        # Its own: a server that hangs must not hold the threads that everything else waits for.
        self._threads = ThreadPoolExecutor(objects.workers, thread_name_prefix="blobs")

    async def put(self, zone: Zone, data: bytes, *, tenant: str, subject: str = "platform") -> BlobRef:
        """Seal `data` and make it durable before returning its reference."""
        self._require(zone)
        return await self._in_thread(self._put, zone, data, tenant, subject)

    async def put_many(self, zone: Zone, blobs: Sequence[tuple[str, bytes]], *, tenant: str) -> list[BlobRef]:
        """Seal blobs, given by subject and plaintext, each under its subject's key, and make them durable by
        one write: they lie behind each other in one object, a pack. They are read like any other.

        Raises what `check_space` raises, too.
        """
        self._require(zone)
        return await self._in_thread(self._put_many, zone, blobs, tenant) if blobs else []

    async def get(self, ref: BlobRef) -> bytes:
        """The plaintext. Raises BlobNotFound, BlobDamaged, or DataKeyErased after an erasure."""
        self._require(ref.zone)
        return await self._in_thread(self._get, ref)

    async def delete(self, ref: BlobRef) -> None:
        """Remove the blob; removing it again does nothing. One of a pack stays, sealed, until its subject's
        data key is erased: nothing else is done to a pack."""
        self._require(ref.zone)
        if _PACKED.fullmatch(ref.blob_id):
            return
        await self._in_thread(self._objects.delete, _name(ref))

    async def discard(self, ref: BlobRef) -> None:
        """Remove the blob, and where it lies in a pack that whole: no record may name any blob of it."""
        self._require(ref.zone)
        await self._in_thread(self._objects.delete, _name(ref))

    async def forget(self, zone: Zone, tenant: str, subject: str) -> None:
        """Drop the subject's data key, then remove its blobs; what lies of it in packs stays, and no longer
        opens. Interrupted, it is done again."""
        self._require(zone)
        await self._in_thread(self._forget, zone, tenant, subject)

    async def key_mark(self, zone: Zone, tenant: str, subject: str) -> str | None:
        """A keyed hash of the subject's data key: another one after an erasure, and None until it has one."""
        self._require(zone)
        return await self._in_thread(self._key_mark, zone, tenant, subject)

    async def check_space(self) -> None:
        """Raise what a write would most likely fail with now: StorageFull, Unavailable, a wrong setting."""
        await self._in_thread(self._objects.check)

    async def _in_thread(
        self, call: Callable[_Parameters, _Result], *args: _Parameters.args, **kwargs: _Parameters.kwargs
    ) -> _Result:
        context = contextvars.copy_context()  # the trace goes along
        return await asyncio.get_running_loop().run_in_executor(
            self._threads, lambda: context.run(call, *args, **kwargs)
        )

    def _require(self, zone: Zone) -> None:
        if zone not in self._grants:
            raise ZoneForbidden(f"this service was not granted the zone {zone.value!r}", field="zone")

    def _put(self, zone: Zone, data: bytes, tenant: str, subject: str) -> BlobRef:
        if len(data) > _MOST_BYTES:
            raise TooLarge(f"a blob has {len(data)} bytes, and may have {_MOST_BYTES}")
        keyed_hash = self._ring.hmac_hex(f"hash-{zone}", data)
        ref = BlobRef(zone, tenant, subject, secrets.token_hex(16), keyed_hash, len(data))
        name = _name(ref)
        key = self._keys.get_or_create(zone, tenant, subject)
        self._objects.write_new(name, _MAGIC + seal(key, data, _associated(ref)))
        return ref

    def _put_many(self, zone: Zone, blobs: Sequence[tuple[str, bytes]], tenant: str) -> list[BlobRef]:
        self._objects.check()
        keys = self._keys.get_or_create_many(zone, tenant, {subject for subject, _ in blobs})
        pack = secrets.token_hex(16)
        refs: list[BlobRef] = []
        sealed: list[bytes] = []
        start = 0
        for (subject, data), nonce in zip(blobs, nonces(len(blobs)), strict=True):
            size = len(_MAGIC) + SEAL_BYTES + len(data)
            keyed_hash = self._ring.hmac_hex(f"hash-{zone}", data)
            ref = BlobRef(zone, tenant, subject, f"{pack}-{start}-{size}", keyed_hash, len(data))
            sealed.append(_MAGIC + seal(keys[subject], data, _associated(ref), nonce))
            refs.append(ref)
            start += size
        if start > _MOST_BYTES:
            raise TooLarge(f"a pack of blobs has {start} bytes, and may have {_MOST_BYTES}")
        self._objects.write_new(_name(refs[0]), b"".join(sealed))
        return refs

    def _forget(self, zone: Zone, tenant: str, subject: str) -> None:
        if not (_NAME.fullmatch(tenant) and _NAME.fullmatch(subject)) or subject == _PACKS:
            raise BadBlobName("a blob's tenant and subject are lower-case letters, digits and dashes")
        self._keys.erase(zone, tenant, subject)
        for name in self._objects.names(f"{zone.value}/{tenant}/{subject}/"):
            self._objects.delete(name)

    def _key_mark(self, zone: Zone, tenant: str, subject: str) -> str | None:
        try:
            key = self._keys.get(zone, tenant, subject)
        except DataKeyErased:
            return None
        return self._ring.hmac_hex(f"hash-{zone}", b"curbside-key-mark:1:" + key)

    def _get(self, ref: BlobRef) -> bytes:
        packed = _PACKED.fullmatch(ref.blob_id)
        part = Part(int(packed["start"]), int(packed["size"])) if packed else None
        sealed = self._objects.read(_name(ref), part)
        if sealed is None:
            raise BlobNotFound(f"there is no blob {ref.blob_id!r} in zone {ref.zone.value!r}")
        key = self._keys.get(ref.zone, ref.tenant, ref.subject)
        try:
            if not sealed.startswith(_MAGIC):
                raise InvalidTag
            return unseal(key, sealed[len(_MAGIC) :], _associated(ref))
        except (InvalidTag, ValueError):  # ValueError: too short to hold a nonce
            raise BlobDamaged(
                f"the blob {ref.blob_id!r} in zone {ref.zone.value!r} was changed where it lies",
                mend="Restore it from backup.",
            ) from None


def _name(ref: BlobRef) -> str:
    for part in (ref.tenant, ref.subject, ref.blob_id):
        if not _NAME.fullmatch(part):
            raise BadBlobName("a blob's tenant, subject and id are lower-case letters, digits and dashes")
    if packed := _PACKED.fullmatch(ref.blob_id):
        return f"{ref.zone.value}/{ref.tenant}/{_PACKS}/{packed['pack']}"
    return f"{ref.zone.value}/{ref.tenant}/{ref.subject}/{ref.blob_id}"


def _associated(ref: BlobRef) -> bytes:
    # Bound to its place, so that one patient's blob cannot be passed off as another's.
    return f"curbside-blob:1:{ref.zone}:{ref.tenant}:{ref.subject}:{ref.blob_id}".encode()
