"""Keys: a key-encryption key per zone, a data key per zone and subject, HMAC keys per purpose.

Data keys lie wrapped (AES-256-GCM) in `keys.db`; erasing a subject's row makes every blob of that
subject unreadable. Key-encryption keys lie in files of mode 0600, or in a mounted secret.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import secrets
import sqlite3
import threading
import time
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from curbside.errors import NotFound, OperatorError, Unavailable
from curbside.settings import Profile
from curbside.storage.directories import FULL_DISK, full_disk, private_directory, sync
from curbside.storage.wal import write_ahead
from curbside.storage.zones import Zone

KEY_BYTES: Final = 32  # AES-256, HMAC-SHA256
_NONCE_BYTES: Final = 12  # NIST SP 800-38D, 8.2.2: random 96-bit nonces
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS data_keys (
    zone TEXT NOT NULL, tenant TEXT NOT NULL, subject TEXT NOT NULL,
    wrapped BLOB NOT NULL, created_at REAL NOT NULL,
    PRIMARY KEY (zone, tenant, subject)
) STRICT;
"""


class MissingKey(OperatorError):
    code = "operator.missing-key"


class DamagedKey(OperatorError):
    code = "operator.damaged-key"


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
        with self._lock:
            if name not in self._keys:
                self._keys[name] = self._read_or_make(name)
            return self._keys[name]

    def hmac_hex(self, name: str, data: bytes) -> str:
        return hmac.new(self.key(name), data, hashlib.sha256).hexdigest()

    def subject(self, tenant: str, identity: bytes) -> str:
        """A subject: HMAC-SHA256 of `identity` under the tenant's key, in hex."""
        return self.hmac_hex(f"tenant-{tenant}", identity)

    def _read_or_make(self, name: str) -> bytes:
        path = self._directory / f"{name}.key"
        if not path.exists():
            if self._profile is Profile.PRODUCTION:
                raise MissingKey(
                    f"the key file {str(path)!r} is missing: mount it from your secret store "
                    f"(32 random bytes in hex, e.g. openssl rand -hex 32)."
                )
            self._make(path)
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
        scratch = path.with_suffix(f".{secrets.token_hex(4)}")
        try:
            descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(secrets.token_hex(KEY_BYTES))
                file.flush()
                os.fsync(file.fileno())
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


class DataKeys:
    """Data keys per zone, tenant and subject, wrapped by the zone's key-encryption key."""

    def __init__(self, path: Path, ring: KeyRing) -> None:
        self._path = path
        self._ring = ring
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None

    def get(self, zone: Zone, tenant: str, subject: str) -> bytes:
        """The data key; raises DataKeyErased where there is none."""
        with self._lock:
            wrapped = self._find(self._open(), zone, tenant, subject)
        if wrapped is None:
            raise DataKeyErased("the subject's data key was erased, and with it everything it encrypted")
        return self._unwrap(zone, tenant, subject, wrapped)

    def get_or_create(self, zone: Zone, tenant: str, subject: str) -> bytes:
        with self._lock:
            db = self._open()
            wrapped = self._find(db, zone, tenant, subject)
            if wrapped is None:
                fresh = self._wrap(zone, tenant, subject, secrets.token_bytes(KEY_BYTES))
                try:
                    db.execute(
                        "INSERT OR IGNORE INTO data_keys VALUES (?, ?, ?, ?, ?)",
                        (zone.value, tenant, subject, fresh, time.time()),
                    )
                except sqlite3.OperationalError as error:
                    raise _storage_error(self._path, error) from error
                # Another process may have been first; what stands in the table is the key.
                wrapped = self._find(db, zone, tenant, subject)
        if wrapped is None:
            raise Unavailable("the key database did not keep a new data key", mend="Check the disk.")
        return self._unwrap(zone, tenant, subject, wrapped)

    def erase(self, zone: Zone, tenant: str, subject: str) -> bool:
        """Drop the data key; return whether there was one."""
        with self._lock:
            cursor = self._open().execute(
                "DELETE FROM data_keys WHERE zone = ? AND tenant = ? AND subject = ?",
                (zone.value, tenant, subject),
            )
            return cursor.rowcount > 0

    def close(self) -> None:
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            private_directory(self._path.parent)
            try:
                db = sqlite3.connect(self._path, timeout=30, isolation_level=None, check_same_thread=False)
                write_ahead(db)  # durable: a key must never be younger than what it encrypts
                db.execute("PRAGMA secure_delete = ON")
                db.executescript(_SCHEMA)
            except sqlite3.OperationalError as error:
                raise _storage_error(self._path, error) from error
            self._path.chmod(0o600)
            self._connection = db
        return self._connection

    def _find(self, db: sqlite3.Connection, zone: Zone, tenant: str, subject: str) -> bytes | None:
        row = db.execute(
            "SELECT wrapped FROM data_keys WHERE zone = ? AND tenant = ? AND subject = ?",
            (zone.value, tenant, subject),
        ).fetchone()
        return bytes(row[0]) if row else None

    def _wrap(self, zone: Zone, tenant: str, subject: str, key: bytes) -> bytes:
        return seal(self._ring.key(f"kek-{zone}"), key, _associated(zone, tenant, subject))

    def _unwrap(self, zone: Zone, tenant: str, subject: str, wrapped: bytes) -> bytes:
        try:
            return unseal(self._ring.key(f"kek-{zone}"), wrapped, _associated(zone, tenant, subject))
        except InvalidTag:
            raise DamagedKey(
                f"the key-encryption key of zone {zone.value!r} does not open its data keys: restore the key "
                f"that this data directory was made with."
            ) from None


def seal(key: bytes, plaintext: bytes, associated: bytes) -> bytes:
    """AES-256-GCM: nonce (12 bytes), then ciphertext with its tag (16 bytes)."""
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, plaintext, associated)


def unseal(key: bytes, sealed: bytes, associated: bytes) -> bytes:
    """The plaintext; raises cryptography.exceptions.InvalidTag where anything was changed."""
    return AESGCM(key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], associated)


def _associated(zone: Zone, tenant: str, subject: str) -> bytes:
    return f"curbside-data-key:1:{zone}:{tenant}:{subject}".encode()


def _storage_error(path: Path, error: sqlite3.OperationalError) -> Unavailable:
    if "full" in str(error) or "disk I/O" in str(error):
        return full_disk(path.parent)
    return Unavailable(f"{str(path)!r} does not answer: {error}", mend="Check the data directory.")
