"""`curbside migrate --from`: what one machine held is on PostgreSQL, S3 and Kafka, all of it and once."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import httpx2
import pytest
from sqlalchemy import insert

from curbside.contracts.events import Event, new_event
from curbside.contracts.topics import REPORTS_RECEIVED
from curbside.contracts.v1 import events_pb2
from curbside.errors import CurbsideError, Unavailable
from curbside.identity.principal import Role
from curbside.runtime import carrying
from curbside.runtime.carrying import NotEqual, NotOutside, OtherKeys, carry
from curbside.runtime.platform import open_outside_bus
from curbside.settings import RuntimeSettings
from curbside.storage.blobs import BlobRef
from curbside.storage.relay import publish_waiting
from curbside.storage.s3_objects import S3Objects
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
        return (await client.get("/ingestion/v1/ledger")).json()


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
    return tmp_path / "source"


@pytest.fixture
def outside(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, source: Path, tmp_path: Path
) -> RuntimeSettings:
    """Where it is carried to, with the keys that it was made with."""
    for name, value in request.getfixturevalue("outside_environment").items():
        monkeypatch.setenv(name, value)
    settings = RuntimeSettings(data_dir=tmp_path / "here", key_dir=source / "keys", min_free_disk_bytes=0)

    async def provision() -> None:
        bus = open_outside_bus(settings)
        assert bus is not None
        await bus.provision()
        await bus.close()

    asyncio.run(provision())
    return settings


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
    write, insert_rows = S3Objects.write_new, carrying._insert
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
    monkeypatch.setattr(carrying, "_insert", interrupted)
    for _ in range(2):
        with pytest.raises(Unavailable, match="line is cut"):
            carry(source, outside)
    carry(source, outside)
    carry(source, outside)  # done already: nothing changes
    assert asyncio.run(seen(outside)) == there


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


def test_other_keys_are_refused_before_anything_is_carried(
    source: Path, outside: RuntimeSettings, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "audit.key").write_text("0" * 64)
    with pytest.raises(OtherKeys, match=r"audit\.key differs"):
        carry(source, outside.model_copy(update={"key_dir": tmp_path / "other"}))
    (tmp_path / "other" / "audit.key").unlink()
    with pytest.raises(OtherKeys, match="is not in"):
        carry(source, outside.model_copy(update={"key_dir": tmp_path / "other"}))


def test_without_a_server_there_is_nowhere_to_carry_it(source: Path, runtime: RuntimeSettings) -> None:
    with pytest.raises(NotOutside, match="CURBSIDE_DATABASE__URL and CURBSIDE_BLOBS__BUCKET and"):
        carry(source, runtime)


def test_a_mistyped_source_is_one_sentence(outside: RuntimeSettings, tmp_path: Path) -> None:
    with pytest.raises(CurbsideError, match="--from"):
        carry(tmp_path / "nothing", outside)
