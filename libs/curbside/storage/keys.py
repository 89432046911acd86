"""Keys: a key-encryption key per zone, a data key per zone and subject, HMAC keys per purpose.

Data keys lie wrapped (AES-256-GCM) in a database (`wrapped_keys.py`); erasing a subject's row makes every
blob of that subject unreadable. Key-encryption keys lie in files of mode 0600, or in a mounted secret.
"""

from __future__ import annotations

import contextlib
import hmac
import os
import secrets
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Final, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from curbside.errors import NotFound, OperatorError, Unavailable
from curbside.settings import Profile
from curbside.storage.directories import FULL_DISK, full_disk, private_directory, sync
from curbside.storage.zones import Zone

KEY_BYTES: Final = 32  # AES-256, HMAC-SHA256
_NONCE_BYTES: Final = 12  # NIST SP 800-38D, 8.2.2: random 96-bit nonces
SEAL_BYTES: Final = _NONCE_BYTES + 16  # that sealing adds: the nonce and the tag
# Behind the name of a key that was replaced, and still opens what it once wrapped.
RETIRED: Final = ".retired.key"
_PAGE: Final = 500
# Bytes: of more, hashlib lets go of the interpreter, and waits for it as long as other threads have it. Of
# what is short that wait is a thousand times what hashing takes.
_KEPT: Final = 2_047
_SHORT: Final = 65_536


class MissingKey(OperatorError, Unavailable):
    code = "operator.missing-key"


class DamagedKey(OperatorError, Unavailable):
    """A key is wrong. While services run, another is waited for, and nothing is given up."""

    code = "operator.damaged-key"


class DifferentKey(OperatorError):
    code = "operator.different-key"


class RotationPending(OperatorError):
    code = "operator.rotation-pending"


class DataKeyErased(NotFound):
    """The subject's data key is gone: what it encrypted cannot be read any more."""

    code = "storage.data-key-erased"


class KeyRing:
    """The named keys of one installation, in `directory`.

    In development a missing key is made; in production it must have been mounted (MissingKey).
    """

    def __init__(self, directory: Path, profile: Profile) -> None:
        self._directory = directory
        self._profile = profile
        self._keys: dict[str, bytes] = {}
        self._lock = threading.Lock()

    def key(self, name: str) -> bytes:
        """The 32 bytes of key `name`."""
        if (key := self._keys.get(name)) is not None:
            return key
        with self._lock:
            if name not in self._keys:
                self._keys[name] = self._read_or_make(name)
            return self._keys[name]

    def read_again(self, name: str) -> list[bytes]:
        """Key `name` as its file says now, and the one that it replaced where that is still there."""
        with self._lock:
            self._keys[name] = self._read_or_make(name)
            found = [self._keys[name]]
        retired = self._directory / f"{name}{RETIRED}"
        return found + ([self._read(retired)] if retired.exists() else [])

    def rotate(self, name: str) -> None:
        """Retire key `name` and make a new one. In production both come from the secret store instead.

        Raises RotationPending while an earlier one is not finished.
        """
        path, retired = self._directory / f"{name}.key", self._directory / f"{name}{RETIRED}"
        self.key(name)
        try:
            os.link(path, retired)
        except FileExistsError:
            if not self.is_half_rotated(name):
                raise RotationPending(
                    f"{str(retired)!r} is there: a rotation is not finished. Run curbside keys rewrap."
                ) from None
        # Before its other name goes: what it wrapped must never be without it.
        sync(self._directory)
        scratch = self._write_scratch(path)
        os.replace(scratch, path)
        sync(self._directory)
        with self._lock:
            self._keys[name] = self._read(path)

    def is_half_rotated(self, name: str) -> bool:
        """Whether a rotation was cut off after it had kept the old key and before it made the new one."""
        retired = self._directory / f"{name}{RETIRED}"
        return retired.exists() and self._read(retired) == self._read(self._directory / f"{name}.key")

    def forget_retired(self, name: str) -> None:
        """Remove what a finished rotation left; without it nothing happens."""
        (self._directory / f"{name}{RETIRED}").unlink(missing_ok=True)
        sync(self._directory)

    def hmac_hex(self, name: str, data: bytes) -> str:
        # A copy of one that has the key already: half of the time.
        keyed = _hmac(self.key(name)).copy()
        step = _KEPT if len(data) <= _SHORT else len(data)
        for start in range(0, len(data), step):
            keyed.update(data[start : start + step])
        return keyed.hexdigest()

    def subject(self, tenant: str, identity: bytes) -> str:
        """A subject: HMAC-SHA256 of `identity` under the tenant's key, in hex."""
        return self.hmac_hex(f"tenant-{tenant}", identity)

    def opinion(self, tenant: str, opinion_id: str) -> str:
        """The subject of texts that were pasted for one opinion: of whom they are, nobody knows."""
        return self.subject(tenant, f"opinion:{opinion_id}".encode())

    def _read_or_make(self, name: str) -> bytes:
        path = self._directory / f"{name}.key"
        if not path.exists():
            if self._profile is Profile.PRODUCTION:
                raise MissingKey(
                    f"the key file {str(path)!r} is missing: mount it from your secret store "
                    f"(32 random bytes in hex, e.g. openssl rand -hex 32)."
                )
            self._make(path)
        return self._read(path)

    def _read(self, path: Path) -> bytes:
        try:
            key = bytes.fromhex(path.read_text().strip())
        except ValueError:
            key = b""
        if len(key) != KEY_BYTES:
            raise DamagedKey(
                f"the key file {str(path)!r} must hold 64 hexadecimal digits: restore it from backup."
            )
        return key

    def _make(self, path: Path) -> None:
        private_directory(self._directory)
        scratch = self._write_scratch(path)
        try:
            with contextlib.suppress(FileExistsError):  # another process was first: its key stands
                os.link(scratch, path)
            # Before anything is sealed with it: what a key seals is lost where a crash takes its name away.
            sync(self._directory)
        except OSError as error:
            if error.errno in FULL_DISK:
                raise full_disk(self._directory) from error
            raise
        finally:
            scratch.unlink(missing_ok=True)

    def _write_scratch(self, path: Path) -> Path:
        """A new key in a file beside `path`, on the disk."""
        scratch = path.with_suffix(f".{secrets.token_hex(4)}")
        try:
            descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(secrets.token_hex(KEY_BYTES))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            scratch.unlink(missing_ok=True)
            if error.errno in FULL_DISK:
                raise full_disk(self._directory) from error
            raise
        return scratch


class WrappedKeys(Protocol):
    """Where wrapped data keys lie, durable when a call returns. Raises Unavailable or StorageFull."""

    def find(self, zone: Zone, tenant: str, subject: str) -> bytes | None: ...

    def keep(self, zone: Zone, tenant: str, subject: str, wrapped: bytes) -> bytes:
        """Insert `wrapped` where there is none yet; return what stands there then."""

    def find_many(self, zone: Zone, tenant: str, subjects: Collection[str]) -> dict[str, bytes]:
        """Of those that are there."""

    def keep_many(self, zone: Zone, tenant: str, wrapped: Mapping[str, bytes]) -> dict[str, bytes]:
        """As `keep`, for many subjects, by one write."""

    def replace(self, zone: Zone, tenant: str, subject: str, old: bytes, new: bytes) -> bool:
        """Put `new` where `old` stands; False where it stands there no more."""

    def erase(self, zone: Zone, tenant: str, subject: str) -> bool: ...

    def after(self, zone: Zone, place: tuple[str, str], limit: int) -> list[tuple[str, str, bytes]]:
        """Up to `limit` keys of a zone behind (tenant, subject), in that order: tenant, subject, wrapped."""

    def close(self) -> None: ...


class DataKeys:
    """Data keys per zone, tenant and subject, wrapped by the zone's key-encryption key."""

    def __init__(self, wrapped: WrappedKeys, ring: KeyRing) -> None:
        self._wrapped = wrapped
        self._ring = ring

    def get(self, zone: Zone, tenant: str, subject: str) -> bytes:
        """The data key; raises DataKeyErased where there is none."""
        wrapped = self._wrapped.find(zone, tenant, subject)
        if wrapped is None:
            raise DataKeyErased("the subject's data key was erased, and with it everything it encrypted")
        return self._unwrap(zone, tenant, subject, wrapped)

    def get_or_create(self, zone: Zone, tenant: str, subject: str) -> bytes:
        wrapped = self._wrapped.find(zone, tenant, subject)
        if wrapped is None:
            wrapped = self._create(zone, tenant, [subject])[subject]
        return self._unwrap(zone, tenant, subject, wrapped)

    def get_or_create_many(self, zone: Zone, tenant: str, subjects: Collection[str]) -> dict[str, bytes]:
        """The data keys of `subjects`; those that are new become durable by one write."""
        wrapped = self._wrapped.find_many(zone, tenant, subjects)
        if missing := [subject for subject in subjects if subject not in wrapped]:
            wrapped |= self._create(zone, tenant, missing)
        return {subject: self._unwrap(zone, tenant, subject, found) for subject, found in wrapped.items()}

    def _create(self, zone: Zone, tenant: str, subjects: Sequence[str]) -> dict[str, bytes]:
        used = self._ring.key(f"kek-{zone}")
        fresh = {
            subject: seal(used, secrets.token_bytes(KEY_BYTES), _associated(zone, tenant, subject))
            for subject in subjects
        }
        # Another process may have been first; what stands there is the key.
        stands = self._wrapped.keep_many(zone, tenant, fresh)
        if self._ring.read_again(f"kek-{zone}")[0] != used:
            # The key was replaced since we read it, and `rewrap` may have passed these places already.
            for subject in subjects:
                if stands[subject] == fresh[subject]:
                    stands[subject] = self._wrap_again(zone, tenant, subject, fresh[subject], used)
        return stands

    def _wrap_again(self, zone: Zone, tenant: str, subject: str, wrapped: bytes, used: bytes) -> bytes:
        again = self._wrap(zone, tenant, subject, self._unwrap(zone, tenant, subject, wrapped, used))
        if self._wrapped.replace(zone, tenant, subject, wrapped, again):
            return again
        return self._wrapped.find(zone, tenant, subject) or again

    def erase(self, zone: Zone, tenant: str, subject: str) -> bool:
        """Drop the data key; return whether there was one."""
        return self._wrapped.erase(zone, tenant, subject)

    def rewrap(self, zone: Zone) -> int:
        """Wrap every data key of `zone` that an earlier key-encryption key wraps with the newest; return how
        many. What the data keys seal stays as it is. Interrupted, it is run again."""
        done = 0
        for tenant, subject, wrapped in self._all(zone):
            if not self._opens(self._ring.key(f"kek-{zone}"), zone, tenant, subject, wrapped):
                key = self._unwrap(zone, tenant, subject, wrapped)
                fresh = self._wrap(zone, tenant, subject, key)
                done += self._wrapped.replace(zone, tenant, subject, wrapped, fresh)
        return done

    def readable(self, zone: Zone) -> int:
        """How many data keys of `zone` there are. Raises DamagedKey where one does not open."""
        return sum(1 for place in self._all(zone) if self._unwrap(zone, *place))

    def wrapped_by_newest(self, zone: Zone) -> tuple[int, int]:
        """How many data keys of `zone` the key-encryption key opens that its file holds now, and how many
        there are."""
        newest = self._ring.read_again(f"kek-{zone}")[0]
        opened = total = 0
        for tenant, subject, wrapped in self._all(zone):
            total += 1
            opened += self._opens(newest, zone, tenant, subject, wrapped) is not None
        return opened, total

    def copy_to(self, zone: Zone, other: DataKeys) -> int:
        """Give `other` every wrapped key of `zone` as it is; return how many. Interrupted, run it again."""
        copied = 0
        for tenant, subject, wrapped in self._all(zone):
            if other._wrapped.keep(zone, tenant, subject, wrapped) != wrapped:
                raise DifferentKey(
                    f"zone {zone.value!r} has another data key there for one subject: what it sealed and "
                    "what is carried over would not open with one key. Use an empty database."
                )
            copied += 1
        return copied

    def close(self) -> None:
        self._wrapped.close()

    def _all(self, zone: Zone) -> Iterator[tuple[str, str, bytes]]:
        """Every wrapped key of a zone: tenant, subject, wrapped. What changes meanwhile is read or not."""
        place = ("", "")
        while page := self._wrapped.after(zone, place, _PAGE):
            yield from page
            place = page[-1][:2]

    def _wrap(self, zone: Zone, tenant: str, subject: str, key: bytes) -> bytes:
        return seal(self._ring.key(f"kek-{zone}"), key, _associated(zone, tenant, subject))

    def _opens(self, key: bytes, zone: Zone, tenant: str, subject: str, wrapped: bytes) -> bytes | None:
        try:
            return unseal(key, wrapped, _associated(zone, tenant, subject))
        except InvalidTag:
            return None

    def _unwrap(
        self, zone: Zone, tenant: str, subject: str, wrapped: bytes, by: bytes | None = None
    ) -> bytes:
        name = f"kek-{zone}"
        data_key = self._opens(by or self._ring.key(name), zone, tenant, subject, wrapped)
        if data_key is not None:
            return data_key
        # Rotated since we read it, or wrapped before a rotation that is not finished.
        for key in self._ring.read_again(name):
            data_key = self._opens(key, zone, tenant, subject, wrapped)
            if data_key is not None:
                return data_key
        raise DamagedKey(
            f"the key-encryption key of zone {zone.value!r} does not open its data keys: restore the key "
            f"that this data directory was made with, as {name}.key or, after a rotation, {name}{RETIRED}."
        )


@lru_cache(maxsize=64)
def _hmac(key: bytes) -> hmac.HMAC:
    return hmac.new(key, digestmod="sha256")


def nonces(count: int) -> Iterator[bytes]:
    """So many fresh ones, by one question to the system."""
    drawn = secrets.token_bytes(count * _NONCE_BYTES)
    return (drawn[start : start + _NONCE_BYTES] for start in range(0, len(drawn), _NONCE_BYTES))


def seal(key: bytes, plaintext: bytes, associated: bytes, nonce: bytes | None = None) -> bytes:
    """AES-256-GCM: nonce (12 bytes), then ciphertext with its tag (16 bytes). `nonce` is one of `nonces`."""
    nonce = nonce or secrets.token_bytes(_NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, plaintext, associated)


def unseal(key: bytes, sealed: bytes, associated: bytes) -> bytes:
    """The plaintext; raises cryptography.exceptions.InvalidTag where anything was changed."""
    return AESGCM(key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], associated)


def _associated(zone: Zone, tenant: str, subject: str) -> bytes:
    return f"curbside-data-key:1:{zone}:{tenant}:{subject}".encode()
