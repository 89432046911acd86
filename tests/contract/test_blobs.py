"""What every blob store promises: sealed, whole or absent, never overwritten, and gone when it is erased."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace as replace_fields
from datetime import timedelta
from pathlib import Path
from threading import Barrier

import pytest

from curbside.errors import StorageFull
from curbside.runtime.platform import open_objects
from curbside.settings import BlobSettings, RuntimeSettings, as_environment
from curbside.storage.blobs import BadBlobName, BlobDamaged, BlobNotFound, BlobRef, BlobStore
from curbside.storage.directory_objects import DirectoryObjects
from curbside.storage.keys import DataKeyErased, DataKeys, KeyRing
from curbside.storage.objects import NameTaken, Objects
from curbside.storage.wrapped_keys import SqliteWrappedKeys
from curbside.storage.zones import Zone, ZoneForbidden

BOTH = frozenset({Zone.PHI, Zone.SAFE})
LEAST_PART = 5 * 1024 * 1024


@pytest.fixture(params=["directory", "s3"])
def objects(
    request: pytest.FixtureRequest, runtime: RuntimeSettings, monkeypatch: pytest.MonkeyPatch
) -> Objects:
    if request.param == "s3":
        settings: BlobSettings = request.getfixturevalue("s3_blobs")
        small = settings.model_copy(update={"part_bytes": LEAST_PART})
        for name, value in as_environment(small).items():
            monkeypatch.setenv(name, value)
    return open_objects(runtime)


@pytest.fixture
def keys(tmp_path: Path, ring: KeyRing) -> DataKeys:
    return DataKeys(SqliteWrappedKeys(tmp_path / "keys.db"), ring)


@pytest.fixture
def blobs(objects: Objects, ring: KeyRing, keys: DataKeys) -> BlobStore:
    return BlobStore(objects, keys, ring, grants=BOTH)


def name_of(ref: BlobRef) -> str:
    return f"{ref.zone}/{ref.tenant}/{ref.subject}/{ref.blob_id}"


def replace(objects: Objects, ref: BlobRef, data: bytes) -> None:
    objects.delete(name_of(ref))
    objects.write_new(name_of(ref), data)


async def test_a_blob_comes_back_as_it_went_in_and_lies_sealed(blobs: BlobStore, objects: Objects) -> None:
    ref = await blobs.put(Zone.PHI, b"Jane Doe, MRN 123", tenant="default", subject="abc")
    assert await blobs.get(ref) == b"Jane Doe, MRN 123"
    lying = objects.read(name_of(ref))
    assert lying is not None
    assert b"Jane" not in lying
    assert BlobRef.from_json(ref.to_json()) == BlobRef.from_message(ref.to_message()) == ref


async def test_an_empty_blob_is_a_blob(blobs: BlobStore) -> None:
    assert await blobs.get(await blobs.put(Zone.SAFE, b"", tenant="default")) == b""


async def test_a_service_opens_only_the_zones_granted_to_it(blobs: BlobStore) -> None:
    with pytest.raises(ZoneForbidden):
        await blobs.put(Zone.MODELS, b"weights", tenant="default")


@pytest.mark.parametrize("name", ["../etc", "a/b", "", "A", ".", "a\n"])
async def test_a_name_cannot_leave_its_place(name: str, blobs: BlobStore, objects: Objects) -> None:
    with pytest.raises(BadBlobName):
        await blobs.put(Zone.SAFE, b"x", tenant="default", subject=name)
    assert list(objects.names("")) == []


async def test_a_changed_moved_or_cut_blob_is_refused(blobs: BlobStore, objects: Objects) -> None:
    ref = await blobs.put(Zone.SAFE, b"first", tenant="default", subject="one")
    other = await blobs.put(Zone.SAFE, b"other", tenant="default", subject="one")
    lying = objects.read(name_of(ref))
    assert lying is not None
    changed = bytes([*lying[:-1], lying[-1] ^ 1])
    for victim, data in ((other, lying), (ref, changed), (ref, lying[:-1]), (ref, lying[:7]), (ref, b"")):
        replace(objects, victim, data)
        with pytest.raises(BlobDamaged):
            await blobs.get(victim)
    replace(objects, ref, lying)
    assert await blobs.get(ref) == b"first"


async def test_erasing_a_data_key_makes_every_blob_of_the_subject_unreadable(
    blobs: BlobStore, keys: DataKeys
) -> None:
    ref = await blobs.put(Zone.PHI, b"secret", tenant="default", subject="gone")
    kept = await blobs.put(Zone.PHI, b"kept", tenant="default", subject="here")
    assert keys.erase(Zone.PHI, "default", "gone")
    with pytest.raises(DataKeyErased):
        await blobs.get(ref)
    assert await blobs.get(kept) == b"kept"


async def test_a_blob_outlives_the_key_encryption_key_of_its_day(
    blobs: BlobStore, objects: Objects, keys: DataKeys, ring: KeyRing
) -> None:
    earlier = await blobs.put(Zone.PHI, b"earlier", tenant="default", subject="one")
    ring.rotate("kek-phi")
    between = await blobs.put(Zone.PHI, b"between", tenant="default", subject="one")
    assert keys.rewrap(Zone.PHI) == 1
    ring.forget_retired("kek-phi")
    later = await blobs.put(Zone.PHI, b"later", tenant="default", subject="two")
    assert [await blobs.get(ref) for ref in (earlier, between, later)] == [b"earlier", b"between", b"later"]


async def test_a_blob_that_is_gone_is_not_found_and_deleting_twice_is_harmless(blobs: BlobStore) -> None:
    ref = await blobs.put(Zone.SAFE, b"x", tenant="default")
    await blobs.delete(ref)
    await blobs.delete(ref)
    with pytest.raises(BlobNotFound):
        await blobs.get(ref)


def test_of_many_that_write_one_name_at_once_one_wins_and_stays(objects: Objects) -> None:
    writers = 8
    start = Barrier(writers)

    def write(number: int) -> bool:
        start.wait()
        try:
            objects.write_new("safe/default/s/name", b"%d" % number * 1000)
        except NameTaken:
            return False
        return True

    with ThreadPoolExecutor(writers) as threads:
        won = list(threads.map(write, range(writers)))
    assert won.count(True) == 1
    assert objects.read("safe/default/s/name") == b"%d" % won.index(True) * 1000
    assert list(objects.names("")) == ["safe/default/s/name"]


async def test_many_write_and_read_at_once(blobs: BlobStore, objects: Objects) -> None:
    contents = [random.Random(number).randbytes(10_000) for number in range(64)]
    refs = await asyncio.gather(
        *(
            blobs.put(Zone.SAFE, data, tenant="default", subject=f"s{number % 7}")
            for number, data in enumerate(contents)
        )
    )
    assert await asyncio.gather(*map(blobs.get, refs)) == contents
    assert sorted(map(name_of, refs)) == sorted(objects.names(""))


async def test_many_blobs_become_durable_as_one_object_and_are_read_one_by_one(
    blobs: BlobStore, objects: Objects, keys: DataKeys
) -> None:
    contents = [(f"s{number % 3}", random.Random(number).randbytes(number * 100)) for number in range(9)]
    refs = await blobs.put_many(Zone.PHI, contents, tenant="default")
    assert len(list(objects.names("phi/"))) == 1
    assert [(ref.subject, await blobs.get(ref)) for ref in refs] == contents
    assert [BlobRef.from_json(ref.to_json()) for ref in refs] == refs
    again = await blobs.put_many(Zone.PHI, contents[:3], tenant="default")
    assert keys.erase(Zone.PHI, "default", "s1")
    with pytest.raises(DataKeyErased):
        await blobs.get(refs[1])
    assert await blobs.get(again[2]) == contents[2][1]
    await blobs.delete(refs[0])
    assert await blobs.get(refs[3]) == contents[3][1], "a pack stays whole"
    await blobs.discard(again[0])
    with pytest.raises(BlobNotFound):
        await blobs.get(again[2])
    assert await blobs.get(refs[3]) == contents[3][1], "and no other goes with it"


async def test_a_blob_of_a_pack_cannot_be_passed_off_as_another(blobs: BlobStore, objects: Objects) -> None:
    first, second = await blobs.put_many(Zone.PHI, [("one", b"first"), ("other", b"other")], tenant="default")
    assert first.blob_id.endswith("-0-37")
    for blob_id in (first.blob_id, first.blob_id.replace("-37", "-74")):
        with pytest.raises(BlobDamaged):
            await blobs.get(replace_fields(first, blob_id=blob_id, subject="other"))
    (name,) = objects.names("phi/")
    lying = objects.read(name)
    assert lying is not None
    objects.delete(name)
    objects.write_new(name, lying[:-1])
    assert await blobs.get(first) == b"first"
    with pytest.raises(BlobDamaged):
        await blobs.get(second)
    objects.delete(name)
    objects.write_new(name, lying[:20])
    with pytest.raises(BlobDamaged):
        await blobs.get(second)
    objects.delete(name)
    with pytest.raises(BlobNotFound):
        await blobs.get(first)


async def test_a_large_blob_comes_back_whole_and_is_not_overwritten(
    blobs: BlobStore, objects: Objects
) -> None:
    data = random.Random(7).randbytes(40_000_000)  # eight parts, the last of them short
    ref = await blobs.put(Zone.SAFE, data, tenant="default")
    assert await blobs.get(ref) == data
    with pytest.raises(NameTaken):
        objects.write_new(name_of(ref), data)
    assert await blobs.get(ref) == data
    assert objects.clean(timedelta(0)) == 0


def test_names_are_listed_below_a_prefix(objects: Objects) -> None:
    names = [
        "phi/default/a/1",
        "safe/default/a-b/1",
        "safe/default/a/1",
        "safe/default/a/2",
        "safe/default/ab/1",
        "safe/other/a/1",
    ]
    for name in names:
        objects.write_new(name, b"x")
    assert set(objects.names("")) == set(names)
    assert set(objects.names("safe/")) == set(names[1:])
    assert set(objects.names("safe/default/a/")) == set(names[2:4])
    assert list(objects.names("models/")) == []


def test_provisioning_again_changes_nothing(objects: Objects) -> None:
    objects.write_new("safe/default/s/kept", b"kept")
    assert objects.provision() == objects.provision()
    objects.check()
    assert list(objects.names("")) == ["safe/default/s/kept"]


def test_too_little_space_is_said_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(StorageFull, match="free"):
        DirectoryObjects(tmp_path / "blobs", min_free_bytes=10**18).check()


_WRITER = """
import os, signal, sys
from pathlib import Path
from curbside.storage.directory_objects import DirectoryObjects
os.link = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
DirectoryObjects(Path(sys.argv[1])).write_new("safe/default/s/name", b"x" * 1000)
"""


def test_a_writer_killed_on_its_way_leaves_nothing_that_can_be_read(tmp_path: Path) -> None:
    ended = subprocess.run([sys.executable, "-c", _WRITER, str(tmp_path / "blobs")], check=False)
    assert ended.returncode == -9
    objects = DirectoryObjects(tmp_path / "blobs")
    assert objects.read("safe/default/s/name") is None
    assert list(objects.names("")) == []
    objects.write_new("safe/default/s/name", b"again")
    assert objects.clean() == 0, "it may still be somebody's work"
    assert objects.clean(timedelta(0)) == 1
    assert objects.read("safe/default/s/name") == b"again"
