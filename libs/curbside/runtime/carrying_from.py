"""What is carried: an installation of one machine, which stands still meanwhile and stays as it was."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from alembic.script import ScriptDirectory
from filelock import FileLock, Timeout
from sqlalchemy import MetaData

from curbside.bus.embedded import EmbeddedBus
from curbside.errors import OperatorError
from curbside.identity.tokens import METADATA as IDENTITY_METADATA
from curbside.runtime.kinds import Kind, kind_of, servers_beside
from curbside.runtime.services import SERVICES, load_package
from curbside.runtime.supervisor import AlreadyRunning, lock_path
from curbside.storage.database import Database, sqlite_url
from curbside.storage.directory_objects import DirectoryObjects
from curbside.storage.keys import KeyRing
from curbside.storage.migrate import alembic_config
from curbside.storage.postgres import IDENTITY
from curbside.storage.wal import write_ahead
from curbside.storage.wrapped_keys import SqliteWrappedKeys
from curbside.storage.zones import Zone

OWNERS: Final = (*SERVICES, IDENTITY)
# Whoever asks whether somebody runs holds a lock for an instant (seconds).
_GLANCE: Final = 1.0


class NothingThere(OperatorError):
    code = "operator.no-installation"


class NotEmbedded(OperatorError):
    """Files that an earlier carry or a mistake left there are not the installation."""

    code = "operator.not-embedded"


class OtherRelease(OperatorError):
    """A database is missing, or not at this release's schema: only its owner may change that."""

    code = "operator.other-release"


class NotLockable(OperatorError):
    code = "operator.source-not-lockable"


@dataclass(frozen=True)
class Source:
    """An installation in the directory `data`. What is opened here was there before: nothing is made."""

    data: Path

    @classmethod
    def at(cls, place: Path) -> Source:
        return cls(place.expanduser().resolve())

    def database(self, owner: str, ring: KeyRing) -> Database:
        return Database(owner, sqlite_url(self.data, owner), metadata_of(owner), ring)

    def wrapped_keys(self) -> SqliteWrappedKeys | None:
        """None where nothing was ever sealed."""
        return SqliteWrappedKeys(self._keys) if self._keys.exists() else None

    def log(self) -> EmbeddedBus | None:
        """None where no service ever ran."""
        return EmbeddedBus(self._log) if self._log.exists() else None

    def objects(self) -> DirectoryObjects:
        return DirectoryObjects(self.data / "blobs")

    def has_blob(self, name: str) -> bool:
        return (self.data / "blobs" / name).is_file()

    def blobs(self) -> Iterator[str]:
        objects = self.objects()
        for zone in Zone:
            yield from objects.names(f"{zone.value}/")

    @contextmanager
    def standing_still(self) -> Iterator[None]:
        """No process of the installation runs while the block does, and what starts meanwhile cannot write.

        Raises NothingThere, NotEmbedded, AlreadyRunning, OtherRelease or NotLockable.
        """
        if kind_of(self.data) not in (None, Kind.EMBEDDED):
            raise NotEmbedded(
                f"the data of {str(self.data)!r} lie on PostgreSQL, Kafka and S3: only an installation of "
                "`curbside up` on this machine's files can be carried",
                mend="Copy servers by their own means (docs/operations.md, Backups).",
            )
        if beside := servers_beside(self.data):
            raise NotEmbedded(
                f"the installation of {str(self.data)!r} ran with {' and '.join(beside)}, and what lies "
                "there would not be carried: only an installation of this machine's files can be",
                mend="Copy servers by their own means (docs/operations.md, Backups).",
            )
        if not self._database(IDENTITY).exists():
            raise NothingThere(
                f"there is no installation at {str(self.data)!r}: name its data directory with --from."
            )
        missing = [owner for owner in OWNERS if not self._database(owner).exists()]
        if missing:
            raise OtherRelease(f"{str(self.data)!r} has no {missing[0]}.db: {self._migrate_first}")
        with ExitStack() as held:
            for path in self._locks():
                self._hold(path, held)
            for owner in OWNERS:
                self._check_revision(owner, self._write_locked(self._database(owner), held))
            for path in (self._keys, self._log):
                if path.exists():
                    self._write_locked(path, held)
            yield

    @property
    def _keys(self) -> Path:
        return self.data / "keys.db"

    @property
    def _log(self) -> Path:
        return self.data / "bus" / "log.db"

    @property
    def _migrate_first(self) -> str:
        return f"run curbside migrate --data {str(self.data)!r} with this release first."

    def _database(self, owner: str) -> Path:
        return self.data / f"{owner}.db"

    def _locks(self) -> set[Path]:
        """What supervisors and consumers hold while they run."""
        found = {lock_path(self.data, name) for name in ("all", *SERVICES)}
        found.update((self.data / "run").glob("supervisor-*.lock"))
        found.update((self.data / "bus" / "locks").glob("*.lock"))
        # The servers that it is carried to may run from the same directory (`--full`).
        return found - {lock_path(self.data, "servers")}

    def _hold(self, path: Path, held: ExitStack) -> None:
        lock = FileLock(path)
        try:
            lock.acquire(timeout=_GLANCE)
        except Timeout:
            raise AlreadyRunning(self.data) from None
        except OSError as error:
            raise self._not_lockable(path, error.strerror or type(error).__name__) from None
        held.callback(lock.release)

    def _write_locked(self, path: Path, held: ExitStack) -> sqlite3.Connection:
        """A connection that keeps every other from writing until it is closed; they may read."""
        try:
            connection = sqlite3.connect(
                f"{path.resolve().as_uri()}?mode=rw", uri=True, timeout=_GLANCE, isolation_level=None
            )
            held.enter_context(closing(connection))
            write_ahead(connection)  # as it is already, unless a backup was restored: then no reader waits
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.DatabaseError as error:
            if "locked" in str(error):
                raise AlreadyRunning(self.data) from None
            raise self._not_lockable(path, str(error)) from None
        return connection

    def _not_lockable(self, path: Path, why: str) -> NotLockable:
        return NotLockable(
            f"{str(path)!r} cannot be locked ({why}), and services might write meanwhile: let this user "
            "write there, or carry a copy of the whole directory."
        )

    def _check_revision(self, owner: str, connection: sqlite3.Connection) -> None:
        tree = ScriptDirectory.from_config(alembic_config(package_of(owner), sqlite_url(self.data, owner)))
        try:
            there = {row[0] for row in connection.execute("SELECT version_num FROM alembic_version")}
        except sqlite3.OperationalError:  # no such table
            there = set()
        if there != set(tree.get_heads()):
            raise OtherRelease(
                f"{owner}.db of {str(self.data)!r} is of another release: {self._migrate_first}"
            )


def metadata_of(owner: str) -> MetaData:
    return IDENTITY_METADATA if owner == IDENTITY else load_package(owner).metadata


def package_of(owner: str) -> str:
    return "curbside.identity" if owner == IDENTITY else load_package(owner).package
