"""Keys, blobs, transactions: what is durable, sealed, and undone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import func, select, text

from curbside.bus.embedded import EmbeddedBus
from curbside.contracts.events import new_event
from curbside.contracts.topics import REPORTS_RECEIVED
from curbside.contracts.v1 import events_pb2
from curbside.errors import StorageFull
from curbside.identity.tokens import METADATA
from curbside.settings import Profile
from curbside.storage.blobs import BadBlobName, BlobDamaged, BlobNotFound, BlobRef, BlobStore
from curbside.storage.database import Database, sqlite_url
from curbside.storage.keys import DataKeyErased, DataKeys, KeyRing, MissingKey
from curbside.storage.migrate import migrate
from curbside.storage.relay import publish_waiting
from curbside.storage.zones import Zone, ZoneForbidden
from curbside.testing.platform import FAST_BUS, read_topic

BOTH = frozenset({Zone.PHI, Zone.SAFE})


@pytest.fixture
def keys(tmp_path: Path, ring: KeyRing) -> DataKeys:
    return DataKeys(tmp_path / "keys.db", ring)


@pytest.fixture
def blobs(tmp_path: Path, ring: KeyRing, keys: DataKeys) -> BlobStore:
    return BlobStore(tmp_path / "blobs", keys, ring, grants=BOTH)


@pytest.fixture
async def database(tmp_path: Path, ring: KeyRing) -> AsyncIterator[Database]:
    url = sqlite_url(tmp_path, "identity")
    migrate("curbside.identity", url)
    database = Database("identity", url, METADATA, ring)
    yield database
    await database.close()


def path_of(root: Path, ref: BlobRef) -> Path:
    return root / "blobs" / ref.zone / ref.tenant / ref.subject / ref.blob_id


async def test_a_blob_comes_back_as_it_went_in_and_lies_sealed(blobs: BlobStore, tmp_path: Path) -> None:
    ref = await blobs.put(Zone.PHI, b"Jane Doe, MRN 123", tenant="default", subject="abc")
    assert await blobs.get(ref) == b"Jane Doe, MRN 123"
    assert b"Jane" not in path_of(tmp_path, ref).read_bytes()
    assert BlobRef.from_json(ref.to_json()) == BlobRef.from_message(ref.to_message()) == ref


async def test_a_service_opens_only_the_zones_granted_to_it(blobs: BlobStore) -> None:
    with pytest.raises(ZoneForbidden):
        await blobs.put(Zone.MODELS, b"weights", tenant="default")


async def test_a_changed_or_moved_blob_is_refused(blobs: BlobStore, tmp_path: Path) -> None:
    ref = await blobs.put(Zone.SAFE, b"first", tenant="default", subject="one")
    other = await blobs.put(Zone.SAFE, b"other", tenant="default", subject="one")
    path_of(tmp_path, other).write_bytes(path_of(tmp_path, ref).read_bytes())
    with pytest.raises(BlobDamaged):
        await blobs.get(other)
    path_of(tmp_path, ref).write_bytes(b"nonsense")
    with pytest.raises(BlobDamaged):
        await blobs.get(ref)


async def test_erasing_a_data_key_makes_every_blob_of_the_subject_unreadable(
    blobs: BlobStore, keys: DataKeys
) -> None:
    ref = await blobs.put(Zone.PHI, b"secret", tenant="default", subject="gone")
    kept = await blobs.put(Zone.PHI, b"kept", tenant="default", subject="here")
    assert keys.erase(Zone.PHI, "default", "gone")
    with pytest.raises(DataKeyErased):
        await blobs.get(ref)
    assert await blobs.get(kept) == b"kept"


async def test_a_blob_that_is_gone_is_not_found_and_deleting_twice_is_harmless(blobs: BlobStore) -> None:
    ref = await blobs.put(Zone.SAFE, b"x", tenant="default")
    await blobs.delete(ref)
    await blobs.delete(ref)
    with pytest.raises(BlobNotFound):
        await blobs.get(ref)


@pytest.mark.parametrize("name", ["../etc", "a/b", "", "A"])
async def test_a_name_cannot_leave_its_directory(blobs: BlobStore, name: str) -> None:
    with pytest.raises(BadBlobName):
        await blobs.put(Zone.SAFE, b"x", tenant="default", subject=name)


async def test_too_little_space_is_said_before_anything_is_written(
    tmp_path: Path, keys: DataKeys, ring: KeyRing
) -> None:
    greedy = BlobStore(tmp_path / "blobs", keys, ring, grants=BOTH, min_free_bytes=10**18)
    with pytest.raises(StorageFull, match="free"):
        await greedy.check_space()


def test_production_never_makes_a_key(tmp_path: Path) -> None:
    with pytest.raises(MissingKey, match="mount it"):
        KeyRing(tmp_path, Profile.PRODUCTION).key("kek-phi")


def test_keys_are_private_files_and_differ_by_name(ring: KeyRing, tmp_path: Path) -> None:
    assert ring.key("kek-phi") != ring.key("kek-safe")
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "keys").iterdir()} == {0o600}
    assert ring.subject("default", b"p1") != ring.subject("other", b"p1")


async def test_two_stores_that_make_a_key_at_once_agree_on_it(tmp_path: Path, ring: KeyRing) -> None:
    stores = [DataKeys(tmp_path / "keys.db", ring) for _ in range(4)]
    keys = await asyncio.gather(
        *(asyncio.to_thread(store.get_or_create, Zone.PHI, "default", "s") for store in stores)
    )
    assert len(set(keys)) == 1


async def test_a_transaction_that_raises_leaves_nothing(database: Database) -> None:
    event = new_event(events_pb2.ReportReceived(report_id="r"), tenant="default", subject="s")
    with pytest.raises(RuntimeError):
        async with database.begin() as transaction:
            await transaction.publish(event)
            await transaction.first_time(event, "g")
            await transaction.record(actor="a", tenant="default", action="x", target="t")
            raise RuntimeError
    async with database.read() as session:
        for table in ("outbox", "inbox", "audit"):
            rows = await session.execute(select(func.count()).select_from(METADATA.tables[table]))
            assert rows.scalar_one() == 0


async def test_an_event_is_new_once_per_group(database: Database) -> None:
    event = new_event(events_pb2.ReportReceived(report_id="r"), tenant="default", subject="s")
    answers = []
    for group in ("g", "g", "h"):
        async with database.begin() as transaction:
            answers.append(await transaction.first_time(event, group))
    assert answers == [True, False, True]


async def test_the_relay_publishes_what_was_committed_and_empties_the_outbox(
    database: Database, tmp_path: Path
) -> None:
    bus = EmbeddedBus(tmp_path / "log.db", FAST_BUS)
    event = new_event(events_pb2.ReportReceived(report_id="r"), tenant="default", subject="s")
    async with database.begin() as transaction:
        await transaction.publish(event)
    assert await publish_waiting(database, bus) == 1
    assert await publish_waiting(database, bus) == 0
    assert [seen.event_id for seen in await read_topic(bus, REPORTS_RECEIVED)] == [event.event_id]
    await bus.close()


async def record(database: Database, target: str) -> None:
    async with database.begin() as transaction:
        await transaction.record(actor="a", tenant="default", action="act", target=target)


async def test_the_audit_chain_holds_and_finds_what_was_changed_or_removed(database: Database) -> None:
    await asyncio.gather(*(record(database, f"t{n}") for n in range(5)))
    assert await database.verify_audit() == (5, None)
    async with database.begin() as transaction:
        await transaction.session.execute(text("UPDATE audit SET target = 'other' WHERE sequence = 3"))
    held, broken = await database.verify_audit()
    assert broken is not None
    assert (held, broken.sequence) == (2, 3)
    async with database.begin() as transaction:
        await transaction.session.execute(text("DELETE FROM audit WHERE sequence = 2"))
    held, broken = await database.verify_audit()
    assert broken is not None
    assert (held, broken.sequence) == (1, 2)
