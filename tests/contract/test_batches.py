"""Events that are handled together do what they do one by one, and a bad one among them harms only itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import httpx2
import pytest
from google.protobuf.message import Message
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from curbside.bus.protocol import Record, Subscription
from curbside.contracts.events import Event, encode, new_event
from curbside.contracts.topics import REPORTS_DEIDENTIFIED, REPORTS_QUARANTINED, Topic
from curbside.contracts.v1 import events_pb2
from curbside.identity import Role
from curbside.storage.tables import service_metadata
from curbside.testing.platform import TestPlatform, open_test_platform, publish
from curbside_inference import store as inference_store
from curbside_ingestion import store as ingestion_store

pytestmark = pytest.mark.usefixtures("halves")

# More than are copied into PostgreSQL at once, and fewer than one batch.
MANY = 12


@pytest.fixture
async def ingestion(tmp_path: Path) -> AsyncIterator[TestPlatform]:
    async with open_test_platform("ingestion", tmp_path / "data") as opened:
        yield opened


@pytest.fixture
async def inference(tmp_path: Path) -> AsyncIterator[TestPlatform]:
    async with open_test_platform("inference", tmp_path / "data") as opened:
        yield opened


def happened(payload: Message) -> Event:
    return new_event(payload, tenant="default", subject="s")


def subscription_of(opened: TestPlatform, topic: Topic) -> Subscription:
    (found,) = [one for one in opened.service.subscriptions if one.topic == topic]
    return found


async def deliver_together(opened: TestPlatform, topic: Topic, events: Sequence[Event]) -> None:
    handle_batch = subscription_of(opened, topic).handle_batch
    assert handle_batch is not None
    await handle_batch(events)


async def accept(opened: TestPlatform, prefix: str) -> list[str]:
    """The ids of `MANY` new reports."""
    rows = "".join(f"{prefix}{number},a nodule of {number} mm\n" for number in range(MANY))
    transport = httpx2.ASGITransport(app=opened.app)
    headers = {**await opened.headers(Role.STEWARD), "content-type": "text/csv; charset=utf-8"}
    async with httpx2.AsyncClient(transport=transport, base_url="http://test", headers=headers) as http:
        answer = await http.post(
            "/ingestion/v1/reports:batch", content=f"id,text\n{rows}", params={"source": "ris"}
        )
    assert answer.status_code == 202, answer.text
    return [str(one["report_id"]) for one in answer.json()["accepted"]]


async def histories(opened: TestPlatform, reports: Sequence[str]) -> list[list[tuple[str, str]]]:
    """The states of each report with their reasons, the last of which must be where it is now."""
    found = []
    async with opened.platform.database.begin() as transaction:
        session = transaction.session
        now = await ingestion_store.states_of(session, reports)
        for report in reports:
            history = await ingestion_store.history_of(session, report)
            assert history[-1].state == now["default", report]
            found.append([(moment.state.value, moment.reason) for moment in history])
    return found


def quarantines(reports: Sequence[str]) -> list[Event]:
    """All are quarantined, one is rejected after that, one comes twice as the same event."""
    events = [happened(events_pb2.ReportQuarantined(report_id=one, reason="deid.risk")) for one in reports]
    events.append(happened(events_pb2.ReportRejected(report_id=reports[1], reason="language")))
    return [*events, events[2]]


def deidentified(reports: Sequence[str]) -> list[Event]:
    """Some are released: the one that was rejected too late."""
    payloads = [events_pb2.ReportDeidentified(report_id=one, released=True) for one in reports[:4]]
    return [happened(payload) for payload in payloads]


async def test_reports_follow_a_batch_as_they_follow_its_events(ingestion: TestPlatform) -> None:
    one_by_one, together = await accept(ingestion, "a"), await accept(ingestion, "b")
    for event in [*quarantines(one_by_one), *deidentified(one_by_one)]:
        await ingestion.deliver(event)
    for topic, events in (
        (REPORTS_QUARANTINED, quarantines(together)),
        (REPORTS_DEIDENTIFIED, deidentified(together)),
    ):
        await deliver_together(ingestion, topic, events)
        await deliver_together(ingestion, topic, events)
    expected = await histories(ingestion, one_by_one)
    assert await histories(ingestion, together) == expected
    quarantined = [("pending", ""), ("quarantined", "deid.risk")]
    assert expected[0] == [*quarantined, ("released", "")]
    assert expected[1] == [*quarantined, ("rejected", "language")]
    assert expected[-1] == quarantined


async def test_a_batch_with_an_unknown_report_leaves_nothing(ingestion: TestPlatform) -> None:
    reports = await accept(ingestion, "a")
    events = quarantines([*reports, "0" * 32])
    with pytest.raises(Exception, match="never received"):
        await deliver_together(ingestion, REPORTS_QUARANTINED, events)
    assert await histories(ingestion, reports) == [[("pending", "")]] * MANY


@pytest.mark.parametrize("poison", ["unknown", "unreadable"])
async def test_a_poison_event_in_a_batch_becomes_a_dead_letter_alone(
    ingestion: TestPlatform, poison: str
) -> None:
    reports = await accept(ingestion, "a")
    events = quarantines(reports)
    stranger = happened(events_pb2.ReportQuarantined(report_id="0" * 32, reason="deid.risk"))
    bad = Record(REPORTS_QUARANTINED.name, stranger.key, encode(stranger) if poison == "unknown" else b"\xff")
    await publish(ingestion.bus, events[:5])
    await ingestion.bus.publish([bad])
    await publish(ingestion.bus, events[5:])
    subscription = subscription_of(ingestion, REPORTS_QUARANTINED)
    consuming = asyncio.create_task(ingestion.bus.consume(subscription))
    try:
        async with asyncio.timeout(60):
            while await ingestion.bus.lag(REPORTS_QUARANTINED.name, subscription.group):
                await asyncio.sleep(0.05)
    finally:
        consuming.cancel()
        await asyncio.gather(consuming, return_exceptions=True)
    assert await ingestion.bus.dead_letters(REPORTS_QUARANTINED.name) == 1
    quarantined = [("pending", ""), ("quarantined", "deid.risk")]
    expected = [quarantined] * MANY
    expected[1] = [*quarantined, ("rejected", "language")]
    assert await histories(ingestion, reports) == expected


def learned(prefix: str) -> list[Event]:
    """Reports: one is spoken of twice, one is entered in error, one comes twice as the same event."""

    def event(number: int, **payload: Any) -> Event:
        blob = events_pb2.BlobRef(
            zone="safe", tenant="default", subject="s", blob_id=f"{number:032x}", keyed_hash="0" * 64, size=9
        )
        payload = {"spans_by_category": {"NAME": number}, "policy": "p", "text": blob, **payload}
        return happened(events_pb2.ReportDeidentified(report_id=f"{prefix}{number:02d}", **payload))

    events = [event(number) for number in range(MANY)]
    events.append(event(3, policy="later"))
    events.append(event(5, status=events_pb2.REPORT_STATUS_ENTERED_IN_ERROR))
    return [*events, events[7]]


async def known(opened: TestPlatform, prefix: str) -> list[tuple[Any, ...]]:
    """What inference knows of the reports whose ids begin with `prefix`, by what follows."""
    table = inference_store.REPORTS
    columns = table.c.tenant, table.c.subject, table.c.text, table.c.spans, table.c.policy
    async with opened.platform.database.read() as session:
        rows = await session.execute(
            select(table.c.report_id, *columns)
            .where(table.c.report_id.like(f"{prefix}%"))
            .order_by(table.c.report_id)
        )
        return [(row.report_id.removeprefix(prefix), *row[1:]) for row in rows]


async def test_inference_learns_of_a_batch_what_it_learns_of_its_events(inference: TestPlatform) -> None:
    for event in learned("a"):
        await inference.deliver(event)
    batch = learned("b")
    for _ in range(2):
        await deliver_together(inference, REPORTS_DEIDENTIFIED, batch)
    expected = await known(inference, "a")
    assert await known(inference, "b") == expected
    assert [row[0] for row in expected] == [f"{number:02d}" for number in range(MANY) if number != 5]
    assert [row[-1] for row in expected if row[0] == "03"] == ["later"]


@pytest.mark.parametrize("count", [2, 50])
async def test_rows_that_are_there_already_are_refused_however_many(
    ingestion: TestPlatform, count: int
) -> None:
    database = ingestion.platform.database
    outbox = service_metadata().tables["outbox"]
    events = [happened(events_pb2.ReportReceived(report_id=f"r{number}")) for number in range(count)]
    async with database.begin() as transaction:
        await transaction.publish(*events)
    with pytest.raises(IntegrityError):
        async with database.begin() as transaction:
            await transaction.publish(happened(events_pb2.ReportReceived(report_id="new")), *events)
    async with database.read() as session:
        ids = (await session.execute(select(outbox.c.event_id).order_by(outbox.c.id))).scalars()
        assert list(ids) == [event.event_id for event in events]
