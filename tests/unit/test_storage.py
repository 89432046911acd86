"""Keys, blobs, transactions: what is durable, sealed, and undone."""

from __future__ import annotations

import asyncio
import errno
import hmac
import os
import sqlite3
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from curbside.bus.embedded import EmbeddedBus
from curbside.errors import StorageFull, Unavailable
from curbside.runtime.platform import state_directory
from curbside.settings import Profile, RuntimeSettings
from curbside.storage.blobs import BlobStore
from curbside.storage.database import sqlite_url
from curbside.storage.directories import UnusableDirectory, private_directory
from curbside.storage.directory_objects import DirectoryObjects
from curbside.storage.keys import DataKeys, KeyRing, MissingKey, RotationPending
from curbside.storage.migrate import migrate
from curbside.storage.wrapped_keys import SqliteWrappedKeys
from curbside.storage.zones import Zone
from curbside.testing.platform import FAST_BUS

BOTH = frozenset({Zone.PHI, Zone.SAFE})


@pytest.fixture
def keys(tmp_path: Path, ring: KeyRing) -> DataKeys:
    return DataKeys(SqliteWrappedKeys(tmp_path / "keys.db"), ring)


@pytest.fixture
def blobs(tmp_path: Path, ring: KeyRing, keys: DataKeys) -> BlobStore:
    return BlobStore(DirectoryObjects(tmp_path / "blobs"), keys, ring, grants=BOTH)


def test_production_never_makes_a_key(tmp_path: Path) -> None:
    with pytest.raises(MissingKey, match="mount it"):
        KeyRing(tmp_path, Profile.PRODUCTION).key("kek-phi")


def test_keys_are_private_files_and_differ_by_name(ring: KeyRing, tmp_path: Path) -> None:
    assert ring.key("kek-phi") != ring.key("kek-safe")
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "keys").iterdir()} == {0o600}
    assert ring.subject("default", b"p1") != ring.subject("other", b"p1")


@pytest.mark.parametrize("size", [0, 1, 2_047, 2_048, 5_000, 65_536, 65_537])
def test_a_keyed_hash_is_one_of_the_whole(ring: KeyRing, size: int) -> None:
    data = bytes(number % 251 for number in range(size))
    assert ring.hmac_hex("audit", data) == hmac.digest(ring.key("audit"), data, "sha256").hex()


async def test_two_stores_that_make_a_key_at_once_agree_on_it(tmp_path: Path, ring: KeyRing) -> None:
    # Many new files: two connections that switch one to its write-ahead log at once seldom meet.
    for number in range(40):
        stores = [DataKeys(SqliteWrappedKeys(tmp_path / str(number) / "keys.db"), ring) for _ in range(4)]
        keys = await asyncio.gather(
            *(asyncio.to_thread(store.get_or_create, Zone.PHI, "default", "s") for store in stores)
        )
        assert len(set(keys)) == 1
        for store in stores:
            store.close()


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """What was put on the disk so far, in order."""
    paths: list[Path] = []
    fsync = os.fsync

    def noting(descriptor: int) -> None:
        paths.append(Path(f"/proc/self/fd/{descriptor}").resolve())
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noting)
    return paths


def test_a_new_key_is_on_the_disk_by_its_name_before_it_is_used(
    ring: KeyRing, tmp_path: Path, synced: list[Path]
) -> None:
    ring.key("kek-phi")
    assert synced[0] == tmp_path  # which holds the new directory
    assert synced[-1] == tmp_path / "keys"
    assert [path.name for path in (tmp_path / "keys").iterdir()] == ["kek-phi.key"]


async def test_a_first_blob_of_a_zone_puts_every_new_directory_on_the_disk(
    blobs: BlobStore, tmp_path: Path, synced: list[Path]
) -> None:
    root = tmp_path / "blobs"
    subject = root / "phi" / "default" / "abc"
    await blobs.put(Zone.PHI, b"x", tenant="default", subject="abc")
    assert {subject, subject.parent, subject.parent.parent, root, tmp_path} <= set(synced)
    synced.clear()
    await blobs.put(Zone.PHI, b"y", tenant="default", subject="abc")
    assert root not in synced  # once is enough


async def test_whoever_makes_the_data_directory_makes_it_for_its_owner_alone(
    tmp_path: Path, ring: KeyRing
) -> None:
    makers: list[Callable[[Path], object]] = [
        lambda data: migrate("curbside.identity", sqlite_url(data, "identity")),
        lambda data: KeyRing(data, Profile.DEVELOPMENT).key("audit"),
        lambda data: DataKeys(SqliteWrappedKeys(data / "keys.db"), ring).get_or_create(
            Zone.PHI, "default", "s"
        ),
        lambda data: state_directory(RuntimeSettings(data_dir=data)),
        lambda data: asyncio.run(EmbeddedBus(data / "log.db", FAST_BUS).check()),
        lambda data: DirectoryObjects(data).check(),
    ]
    for number, make in enumerate(makers):
        data = tmp_path / str(number) / "data"
        await asyncio.to_thread(make, data)
        assert [stat.S_IMODE(place.stat().st_mode) for place in (data.parent, data)] == [0o700, 0o700]


@pytest.mark.parametrize("place", ["a file", "a file/below", "nowhere/nope"])
def test_a_data_directory_that_cannot_be_is_one_sentence(place: str, tmp_path: Path) -> None:
    (tmp_path / "a file").write_text("not a directory")
    (tmp_path / "nowhere").symlink_to("/proc")
    says = r"(cannot be used \(.+\)|a file' is a file).*CURBSIDE_RUNTIME__DATA_DIR"
    with pytest.raises(UnusableDirectory, match=says):
        migrate("curbside.identity", sqlite_url(tmp_path / place, "identity"))


@pytest.mark.parametrize(
    ("cause", "error"),
    [("database or disk is full", StorageFull), ("disk I/O error", StorageFull), ("locked", Unavailable)],
)
def test_what_a_migration_fails_with_says_what_to_do(
    cause: str, error: type[Exception], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OperationalError("INSERT INTO x VALUES ('Jane')", {}, sqlite3.OperationalError(cause))

    monkeypatch.setattr("alembic.command.upgrade", fail)
    with pytest.raises(error, match="the database of identity") as raised:
        migrate("curbside.identity", sqlite_url(tmp_path, "identity"))
    assert "Jane" not in str(raised.value)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
async def test_a_disk_that_fills_under_a_key_or_a_directory_is_a_full_disk(
    number: int, ring: KeyRing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageFull, match="is full"):
        private_directory(tmp_path / "new")
    (tmp_path / "keys").mkdir()
    with pytest.raises(StorageFull, match="is full"):
        ring.key("kek-phi")


def test_a_key_that_is_replaced_under_a_running_service_opens_what_it_makes_then(tmp_path: Path) -> None:
    def opened() -> tuple[KeyRing, DataKeys]:
        ring = KeyRing(tmp_path / "keys", Profile.DEVELOPMENT)
        return ring, DataKeys(SqliteWrappedKeys(tmp_path / "keys.db"), ring)

    running, before = opened()[1], opened()[1]
    first = running.get_or_create(Zone.PHI, "default", "one")  # it knows the old key from here on
    ring, rotating = opened()
    ring.rotate("kek-phi")
    assert rotating.rewrap(Zone.PHI) == 1
    ring.forget_retired("kek-phi")
    second = running.get_or_create(Zone.PHI, "default", "two")
    for keys in (running, before, opened()[1]):
        assert keys.get(Zone.PHI, "default", "one") == first
        assert keys.get(Zone.PHI, "default", "two") == second
    assert opened()[1].rewrap(Zone.PHI) == 0


def test_a_rotation_that_was_cut_off_is_finished_or_begun_again(tmp_path: Path, ring: KeyRing) -> None:
    old = ring.key("kek-phi")
    os.link(tmp_path / "keys" / "kek-phi.key", tmp_path / "keys" / "kek-phi.retired.key")
    assert ring.is_half_rotated("kek-phi")
    ring.rotate("kek-phi")
    assert ring.read_again("kek-phi")[0] != old == ring.read_again("kek-phi")[1]
    with pytest.raises(RotationPending, match="rewrap"):
        ring.rotate("kek-phi")
