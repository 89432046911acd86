"""`curbside migrate --from`: what one machine held is on PostgreSQL, S3 and Kafka, all of it and once."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import httpx2
import pytest
from filelock import FileLock
from sqlalchemy import delete, insert

from curbside.bus.embedded import EmbeddedBus
from curbside.bus.kafka.bus import KafkaBus
from curbside.bus.kafka.routing import NotProvisioned
from curbside.bus.protocol import Record
from curbside.contracts.events import Event, new_event
from curbside.contracts.topics import REPORTS_RECEIVED, TOPICS
from curbside.contracts.v1 import events_pb2
from curbside.errors import CurbsideError, Unavailable
from curbside.identity.principal import Role
from curbside.runtime import carrying_rows
from curbside.runtime.carrying import NotOutside, OtherKeys, carry
from curbside.runtime.carrying_from import OtherRelease, Source
from curbside.runtime.carrying_to import AlreadyCarried, NotEqual, Target
from curbside.runtime.kinds import HalfCarried, Kind, check_kind
from curbside.runtime.platform import open_outside_bus
from curbside.runtime.supervisor import AlreadyRunning, lock_path
from curbside.runtime.upkeep import migrate_all
from curbside.settings import Profile, RuntimeSettings
from curbside.storage.blobs import BlobRef
from curbside.storage.relay import publish_waiting
from curbside.storage.s3_objects import S3Objects
from curbside.storage.zones import Zone
from curbside.testing.platform import TestPlatform, open_test_platform, read_topic
from curbside_ingestion.store import RECEIPTS

REPORTS = 30


class Seen(NamedTuple):
    ledger: Any
    announced: dict[str, list[str]]  # reports by subject, in the order of their events
    texts: int  # that can be read


async def ledger(opened: TestPlatform) -> Any:
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app=opened.app),
        base_url="http://test",
        headers=await opened.headers(Role.STEWARD),
    ) as client:
        for number in range(REPORTS):
            body = {"text": f"Report {number}.", "external_id": f"e{number}", "patient_id": f"p{number % 5}"}
            answer = await client.post("/ingestion/v1/reports", json=body)
            assert answer.status_code in (202, 409)
        said = {"patient_id": "p0", "decision": "deny", "effective_at": "2026-03-01", "ends_at": "2099-01-01"}
        answer = await client.post("/ingestion/v1/consents", json=said)
        assert answer.status_code in (202, 200)
        listed = (await client.get("/ingestion/v1/consents")).json()
        return (await client.get("/ingestion/v1/ledger")).json() | listed


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A data directory of one machine: reports, half of their events published, some handled."""

    async def fill() -> None:
        async with open_test_platform("ingestion", tmp_path / "source") as opened:
            await ledger(opened)
            (first, second, *_) = await opened.published(REPORTS_RECEIVED)
            for event, payload in (
                (first, events_pb2.ReportDeidentified(report_id=report_of(first))),
                (second, events_pb2.ReportQuarantined(report_id=report_of(second), reason="risk")),
            ):
                await opened.deliver(new_event(payload, tenant="default", subject=event.subject))
            async with opened.platform.database.begin() as transaction:
                await transaction.publish(received("waits in the outbox"))

    asyncio.run(fill())
    migrate_all(RuntimeSettings(data_dir=tmp_path / "source"))  # whose other services have never run
    return tmp_path / "source"


@pytest.fixture
def outside(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, source: Path, tmp_path: Path
) -> RuntimeSettings:
    """Where it is carried to, with the keys that it was made with."""
    for name, value in request.getfixturevalue("outside_environment").items():
        monkeypatch.setenv(name, value)
    settings = RuntimeSettings(data_dir=tmp_path / "here", key_dir=source / "keys", min_free_disk_bytes=0)

    provision(settings)
    return settings


def provision(settings: RuntimeSettings) -> None:
    async def make() -> None:
        bus = open_outside_bus(settings)
        assert bus is not None
        # Narrow: each partition costs the broker some files.
        await bus.provision([replace(topic, partitions=2) for topic in TOPICS.values()])
        await bus.close()

    asyncio.run(make())


def on_kafka(settings: RuntimeSettings) -> int:
    """How many received reports are announced there."""

    async def count() -> int:
        bus = open_outside_bus(settings)
        assert bus is not None
        try:
            return await bus.lag(REPORTS_RECEIVED.name, "nobody")
        finally:
            await bus.close()

    return asyncio.run(count())


def cut_off_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    def mark(self: Target) -> None:
        raise Unavailable("the line is cut")

    monkeypatch.setattr(Target, "mark", mark)


def received(report_id: str) -> Event:
    return new_event(events_pb2.ReportReceived(report_id=report_id), tenant="default", subject="s")


def report_of(event: Event) -> str:
    assert isinstance(event.payload, events_pb2.ReportReceived)
    return event.payload.report_id


async def seen(settings: RuntimeSettings) -> Seen:
    """What can be seen of an installation of ingestion."""
    async with open_test_platform("ingestion", settings.data, settings=settings) as opened:
        while await publish_waiting(opened.platform.database, opened.bus):
            continue
        events = await read_topic(opened.bus, REPORTS_RECEIVED)
        texts = 0
        for event in events:
            assert isinstance(event.payload, events_pb2.ReportReceived)
            if event.payload.HasField("text"):
                texts += bool(await opened.platform.blobs.get(BlobRef.from_message(event.payload.text)))
        assert (await opened.platform.database.verify_audit())[1] is None
        # A post of what is there already is a duplicate here too, and new ones get numbers of their own.
        announced: dict[str, dict[str, None]] = defaultdict(dict)
        for event in events:
            announced[event.subject][report_of(event)] = None
        return Seen(await ledger(opened), {name: list(ids) for name, ids in announced.items()}, texts)


@pytest.fixture
def there(source: Path) -> Seen:
    return asyncio.run(seen(RuntimeSettings(data_dir=source, min_free_disk_bytes=0)))


def test_ledger_events_and_texts_are_the_same_on_the_other_side(
    source: Path, there: Seen, outside: RuntimeSettings
) -> None:
    carry(source, outside)
    assert asyncio.run(seen(outside)) == there
    assert there.ledger["received"] == REPORTS == there.texts
    assert there.announced["s"] == ["waits in the outbox"]


def test_what_is_interrupted_is_run_again(
    source: Path,
    there: Seen,
    outside: RuntimeSettings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write, insert_rows = S3Objects.write_new, carrying_rows._insert
    left = {"blobs": 20, "pages": 4}

    def write_new(self: S3Objects, name: str, data: bytes) -> None:
        left["blobs"] -= 1
        if left["blobs"] == 0:
            raise Unavailable("the line is cut")
        write(self, name, data)

    async def interrupted(*arguments: Any) -> None:
        left["pages"] -= 1
        if left["pages"] == 0:
            raise Unavailable("the line is cut")
        await insert_rows(*arguments)

    monkeypatch.setattr(S3Objects, "write_new", write_new)
    monkeypatch.setattr(carrying_rows, "_insert", interrupted)
    for _ in range(2):
        with pytest.raises(Unavailable, match="line is cut"):
            carry(source, outside)
        with pytest.raises(HalfCarried, match="was not carried to"):
            check_kind(outside, Kind.SERVERS)
    carry(source, outside)
    check_kind(outside, Kind.SERVERS)
    assert asyncio.run(seen(outside)) == there


def test_a_broker_that_is_slow_for_a_moment_does_not_end_it(
    source: Path, there: Seen, outside: RuntimeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish = KafkaBus.publish
    slow = iter([True])

    async def held_up(self: KafkaBus, records: Sequence[Record]) -> None:
        await publish(self, records)
        if next(slow, False):
            raise Unavailable("the publisher was held up")

    monkeypatch.setattr(KafkaBus, "publish", held_up)
    carry(source, outside)
    here = asyncio.run(seen(outside))
    assert (here.ledger, here.announced) == (there.ledger, there.announced)  # by the ids of events


def test_a_schema_that_something_else_has_written_to_is_refused(
    source: Path, outside: RuntimeSettings
) -> None:
    async def write() -> None:
        async with (
            open_test_platform("ingestion", outside.data, settings=outside) as opened,
            opened.platform.database.begin() as transaction,
        ):
            row = {"report_id": "f" * 32, "tenant": "default", "received_at": datetime.now(UTC)}
            await transaction.session.execute(insert(RECEIPTS).values(row))

    asyncio.run(write())
    with pytest.raises(NotEqual, match="receipts of ingestion is not what was carried"):
        carry(source, outside)
    check_kind(outside, Kind.SERVERS)  # whoever has written there may go on


def test_what_was_carried_is_never_carried_to_again(source: Path, outside: RuntimeSettings) -> None:
    carry(source, outside)
    erased = data_keys(outside)[0]
    keys = Target(outside).wrapped_keys(Zone.PHI)
    assert keys.erase(Zone.PHI, *erased)
    blob = next(Target(outside).blobs())
    Target(outside).objects().delete(blob)
    with pytest.raises(AlreadyCarried, match="was carried there on 2"):
        carry(source, outside)
    assert keys.find(Zone.PHI, *erased) is None
    assert blob not in set(Target(outside).blobs())
    keys.close()


def data_keys(settings: RuntimeSettings) -> list[tuple[str, str]]:
    keys = Target(settings).wrapped_keys(Zone.PHI)
    try:
        return [(tenant, subject) for tenant, subject, _ in keys.after(Zone.PHI, ("", ""), 100)]
    finally:
        keys.close()


def test_services_that_ran_on_a_half_carried_copy_are_seen_before_the_first_write(
    source: Path, outside: RuntimeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as cut:
        cut_off_at_the_end(cut)
        with pytest.raises(Unavailable, match="line is cut"):
            carry(source, outside)

    async def erase() -> None:
        async with (
            open_test_platform("ingestion", outside.data, settings=outside) as opened,
            opened.platform.database.begin() as transaction,
        ):
            await transaction.session.execute(delete(RECEIPTS))
            await transaction.record(actor="test", tenant="default", action="erased", target="all")

    asyncio.run(erase())
    keys = Target(outside).wrapped_keys(Zone.PHI)
    erased = data_keys(outside)[0]
    keys.erase(Zone.PHI, *erased)
    with pytest.raises(NotEqual, match="audit of ingestion is not what was carried"):
        carry(source, outside)
    assert keys.find(Zone.PHI, *erased) is None
    keys.close()


def test_a_foreign_key_or_blob_is_seen_before_the_first_write(source: Path, outside: RuntimeSettings) -> None:
    place = "phi/default/stranger/1"
    Target(outside).objects().write_new(place, b"sealed elsewhere")
    with pytest.raises(NotEqual, match="blobs that are not the source's"):
        carry(source, outside)
    Target(outside).objects().delete(place)
    keys = Target(outside).wrapped_keys(Zone.PHI)
    keys.keep(Zone.PHI, "default", "stranger", b"wrapped elsewhere")
    with pytest.raises(NotEqual, match="data keys of 'phi' that are not the source's"):
        carry(source, outside)
    assert data_keys(outside) == [("default", "stranger")]
    keys.close()


def test_a_blob_that_vanished_while_it_was_carried_is_missed(
    source: Path, outside: RuntimeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = S3Objects.write_new
    lost = next(Source(source).blobs())

    def write_new(self: S3Objects, name: str, data: bytes) -> None:
        if name != lost:
            write(self, name, data)

    monkeypatch.setattr(S3Objects, "write_new", write_new)
    with pytest.raises(NotEqual, match="a blob was not carried"):
        carry(source, outside)


def test_a_trial_elsewhere_and_another_log_publish_everything_again(
    source: Path, outside: RuntimeSettings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with monkeypatch.context() as cut:
        cut_off_at_the_end(cut)
        for _ in range(2):  # the second time nothing is left to publish
            with pytest.raises(Unavailable, match="line is cut"):
                carry(source, outside)
            assert on_kafka(outside) == REPORTS
        monkeypatch.setenv("CURBSIDE_KAFKA__TOPIC_PREFIX", f"{tmp_path.name.replace('_', '-')}.real.")
        with pytest.raises(NotProvisioned, match="has no topic"):
            carry(source, outside)
        provision(outside)
        with pytest.raises(Unavailable, match="line is cut"):
            carry(source, outside)
        assert on_kafka(outside) == REPORTS

        other = EmbeddedBus(tmp_path / "other" / "log.db")

        async def publish() -> None:
            for number in range(REPORTS):
                await other.publish([Record(REPORTS_RECEIVED.name, "key", b"%d" % number)])
            await other.close()

        asyncio.run(publish())
        for suffix in ("", "-wal", "-shm"):
            (source / "bus" / f"log.db{suffix}").unlink(missing_ok=True)
        (tmp_path / "other" / "log.db").rename(source / "bus" / "log.db")
        with pytest.raises(Unavailable, match="line is cut"):
            carry(source, outside)
        assert on_kafka(outside) == 2 * REPORTS


def test_a_missing_topic_is_found_before_anything_is_carried(
    source: Path, outside: RuntimeSettings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CURBSIDE_KAFKA__TOPIC_PREFIX", f"{tmp_path.name.replace('_', '-')}.")

    async def provision_one() -> None:
        bus = open_outside_bus(outside)
        assert bus is not None
        await bus.provision([REPORTS_RECEIVED])
        await bus.close()

    asyncio.run(provision_one())
    with pytest.raises(NotProvisioned, match=f"lacks {2 * len(TOPICS) - 2} of the topics"):
        carry(source, outside)
    assert data_keys(outside) == []
    assert list(Target(outside).blobs()) == []


@pytest.mark.parametrize(
    "held",
    [
        "run/supervisor-all.lock",
        "run/supervisor-ingestion.lock",
        "run/supervisor-ingestion-datasets.lock",
        "bus/locks/datasets@curbside.reports.deidentified.v1.lock",
    ],
)
def test_a_source_on_which_something_runs_is_refused(source: Path, held: str) -> None:
    (source / held).parent.mkdir(exist_ok=True)
    with (
        FileLock(source / held),
        pytest.raises(AlreadyRunning, match="stop it"),
        Source(source).standing_still(),
    ):
        raise AssertionError("it does not stand still")


def test_a_source_that_somebody_writes_to_is_refused(source: Path) -> None:
    writer = sqlite3.connect(source / "ingestion.db", isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    with pytest.raises(AlreadyRunning, match="stop it"), Source(source).standing_still():
        raise AssertionError("it does not stand still")
    writer.close()


def test_nothing_can_write_to_what_is_carried(source: Path) -> None:
    with Source(source).standing_still():
        for path in (*source.glob("*.db"), source / "bus" / "log.db"):
            writer = sqlite3.connect(path, timeout=0, isolation_level=None)
            with pytest.raises(sqlite3.OperationalError, match="locked"):
                writer.execute("BEGIN IMMEDIATE")
            writer.close()
    writer = sqlite3.connect(source / "ingestion.db", timeout=0, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    writer.close()


def test_the_servers_of_the_copy_may_run_from_the_same_directory(source: Path) -> None:
    (source / "run").mkdir(exist_ok=True)
    with FileLock(lock_path(source, "servers")), Source(source).standing_still():
        assert (source / "identity.db").exists()


def test_a_source_of_another_release_is_refused_and_left_as_it_is(source: Path) -> None:
    database = sqlite3.connect(source / "datasets.db", isolation_level=None)
    database.execute("UPDATE alembic_version SET version_num = '0000'")
    with (
        pytest.raises(OtherRelease, match=r"datasets\.db .* run curbside migrate --data"),
        Source(source).standing_still(),
    ):
        raise AssertionError("it is of another release")
    assert database.execute("SELECT version_num FROM alembic_version").fetchall() == [("0000",)]
    database.close()


def test_a_database_that_is_missing_is_named_and_not_made(source: Path) -> None:
    (source / "training.db").unlink()
    with (
        pytest.raises(OtherRelease, match=r"has no training\.db: run curbside migrate"),
        Source(source).standing_still(),
    ):
        raise AssertionError("a database is missing")
    assert not (source / "training.db").exists()


def test_other_keys_are_refused_before_anything_is_carried(
    source: Path, outside: RuntimeSettings, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "audit.key").write_text("0" * 64)
    with pytest.raises(OtherKeys, match=r"audit\.key differs"):
        carry(source, outside.model_copy(update={"key_dir": tmp_path / "other"}))
    assert [path.name for path in (tmp_path / "other").iterdir()] == ["audit.key"]
    (tmp_path / "other" / "audit.key").unlink()
    production = {"key_dir": tmp_path / "other", "profile": Profile.PRODUCTION}
    with pytest.raises(OtherKeys, match="is not in"):
        carry(source, outside.model_copy(update=production))


def test_keys_come_along_in_development(source: Path, outside: RuntimeSettings, tmp_path: Path) -> None:
    carry(source, outside.model_copy(update={"key_dir": tmp_path / "other"}))
    for path in (source / "keys").iterdir():
        copy = tmp_path / "other" / path.name
        assert copy.read_text() == path.read_text()
        assert copy.stat().st_mode & 0o777 == 0o600


def test_without_a_server_there_is_nowhere_to_carry_it(source: Path, runtime: RuntimeSettings) -> None:
    with pytest.raises(NotOutside, match="CURBSIDE_DATABASE__URL and CURBSIDE_KAFKA__BOOTSTRAP_SERVERS and"):
        carry(source, runtime)


def test_a_mistyped_source_is_one_sentence(outside: RuntimeSettings, tmp_path: Path) -> None:
    with pytest.raises(CurbsideError, match="--from"):
        carry(tmp_path / "nothing", outside)
