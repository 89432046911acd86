"""The service on a real platform: events in, one outcome out, and a reviewer's decisions."""

from __future__ import annotations

from collections.abc import AsyncIterator
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import pytest

from curbside.contracts import codec
from curbside.contracts.codec import PhiDocument
from curbside.contracts.events import Event, new_event
from curbside.contracts.topics import REPORTS_DEIDENTIFIED, REPORTS_QUARANTINED, TOPIC_OF_EVENT
from curbside.contracts.v1 import events_pb2
from curbside.errors import Unavailable
from curbside.identity.principal import Role
from curbside.phi import PhiText
from curbside.storage.blobs import BlobRef
from curbside.storage.migrate import alembic_config
from curbside.storage.sqlite import sync_url
from curbside.storage.zones import Zone
from curbside.testing.platform import TestPlatform, open_test_platform
from curbside_deidentification import handlers, store
from curbside_deidentification.domain.lexicon import Lexicon
from curbside_deidentification.domain.policy import load_policy
from curbside_deidentification.domain.spans import Span
from curbside_deidentification.pipeline import Result, deidentify
from curbside_deidentification.pool import WorkerFailed, WorkerTimedOut
from curbside_deidentification.recognisers.completing import find_by_rule
from curbside_deidentification.replacements import Replacements
from curbside_deidentification.settings import DeidentificationSettings

pytestmark = pytest.mark.usefixtures("halves")

SUBJECT = "ab" * 32
CLEAN = "Patient: Zephyrine Quatremer, MRN: 4456781. Seen 04/12/2023: 4 mm nodule."
RISKY = "Dates 13/45/2020 and 77/88/1999 and 45/45/2001, says Dr. Quatremer."
FOREIGN = "El paciente acude a la consulta por dolor en el pecho desde hace dos días, sin fiebre ni tos. " * 2


class Nothing:
    def find(self, text: str, lexicon: Lexicon) -> list[Span]:
        return list(find_by_rule(text, lexicon))


class Pool:
    """Workers in this process: the real pipeline without the model, or one failure after another."""

    def __init__(self) -> None:
        self.failures: list[Exception] = []
        self.calls = 0

    async def deidentify(self, document: PhiDocument, *, tenant: str, subject: str = "") -> Result:
        self.calls += 1
        assert document.authored_at is None  # a worker has no use for it
        if self.failures:
            raise self.failures.pop(0)
        return deidentify(document, Nothing(), load_policy())


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[TestPlatform]:
    async with open_test_platform("deidentification", tmp_path) as opened:
        yield opened


@pytest.fixture
async def client(opened: TestPlatform) -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(app=opened.app)
    async with httpx2.AsyncClient(
        transport=transport, base_url="http://test", headers=await opened.headers(Role.REVIEWER)
    ) as client:
        yield client


async def received(opened: TestPlatform, text: str, report_id: str = "r1", authored: str = "") -> Event:
    document = codec.to_bytes(PhiDocument(PhiText(text), authored_at=PhiText(authored)))
    ref = await opened.platform.blobs.put(Zone.PHI, document, tenant="default", subject=SUBJECT)
    payload = events_pb2.ReportReceived(
        report_id=report_id,
        original=ref.to_message(),
        text=ref.to_message(),
        report_type="radiology",
        source="test",
        status=events_pb2.REPORT_STATUS_FINAL,
    )
    return new_event(payload, tenant="default", subject=SUBJECT)


async def handle(opened: TestPlatform, event: Event, pool: Pool | None = None) -> None:
    platform = opened.platform
    await handlers.deidentify_report(
        event,
        database=platform.database,
        blobs=platform.blobs,
        replacements=Replacements(DeidentificationSettings(), blobs=platform.blobs, ring=platform.ring),
        deidentify=(pool or Pool()).deidentify,
        policy=load_policy().label,
    )


async def outcomes(opened: TestPlatform) -> list[Any]:
    events = await opened.published(REPORTS_DEIDENTIFIED) + await opened.published(REPORTS_QUARANTINED)
    return [event.payload for event in events]


async def row_of(opened: TestPlatform, report_id: str = "r1") -> Any:
    async with opened.platform.database.read() as session:
        return await store.find(session, report_id)


async def test_a_received_report_becomes_a_safe_text_and_one_event(opened: TestPlatform) -> None:
    await handle(opened, await received(opened, CLEAN, authored="2023-04-12T10:00:00-05:00"))
    [happened] = await outcomes(opened)
    assert isinstance(happened, events_pb2.ReportDeidentified)
    text = await opened.platform.blobs.get(BlobRef.from_message(happened.text))
    assert text == b"Patient: [NAME], MRN: [MRN]. Seen [DATE]: 4 mm nodule."
    assert dict(happened.spans_by_category) == {"NAME": 1, "MRN": 1, "DATE": 1}
    assert (happened.report_id, happened.report_type, happened.source) == ("r1", "radiology", "test")
    assert (happened.policy, happened.released, happened.status) == (
        load_policy().label,
        False,
        events_pb2.REPORT_STATUS_FINAL,
    )
    assert (happened.authored_at, happened.place) == ("2023", "0")
    assert (happened.legal_basis, happened.subjects) == ("safe_harbor", "random")
    assert await opened.platform.database.verify_audit() == (1, None)


async def test_places_tell_the_order_in_which_a_patients_reports_were_written(opened: TestPlatform) -> None:
    written = {
        "r1": "2023-04-12",
        "r2": "2023-05-02",
        "r3": "2022-01-01T08:00:00-05:00",
        "r4": "2023-04-20",
        "r5": "2023-04-15",
        "same": "2023-04-11T22:00:00-02:00",
        "never": "",
    }
    for report_id, authored in written.items():
        await handle(opened, await received(opened, CLEAN, report_id, authored))
    places = {happened.report_id: happened.place for happened in await outcomes(opened)}
    assert (places.pop("never"), places["same"]) == ("", places["r1"])
    assert sorted(places, key=lambda one: (Fraction(places[one]), one)) == [
        "r3",
        "r1",
        "same",
        "r5",
        "r4",
        "r2",
    ]


async def test_a_released_report_keeps_its_place(opened: TestPlatform, client: httpx2.AsyncClient) -> None:
    for report_id, text, authored in (("r1", RISKY, "2023-04-12"), ("r2", CLEAN, "2023-01-01")):
        await handle(opened, await received(opened, text, report_id, authored))
    await client.post("/deidentification/v1/quarantine/r1/release", json={"revision": 0})
    places = {one.report_id: one.place for one in await outcomes(opened) if hasattr(one, "place")}
    assert places == {"r1": "0", "r2": "-1"}


async def test_what_an_earlier_release_quarantined_gets_its_place_when_it_is_released(
    opened: TestPlatform, client: httpx2.AsyncClient
) -> None:
    for report_id, text, authored in (("r1", RISKY, "2023-04-12"), ("r2", CLEAN, "2023-01-01")):
        await handle(opened, await received(opened, text, report_id, authored))
    async with opened.platform.database.begin() as transaction:
        old = store.REPORTS.update().where(store.REPORTS.c.report_id == "r1")
        await transaction.session.execute(old.values(place="", moved_at=None))
    await client.post("/deidentification/v1/quarantine/r1/release", json={"revision": 0})
    places = {one.report_id: one.place for one in await outcomes(opened) if hasattr(one, "place")}
    assert places == {"r1": "0", "r2": "-1"}


async def test_a_report_told_twice_is_handled_once(opened: TestPlatform) -> None:
    event = await received(opened, CLEAN)
    pool = Pool()
    for _ in range(3):
        await handle(opened, event, pool)
    assert len(await outcomes(opened)) == 1
    assert pool.calls == 1


async def test_two_handlers_that_race_leave_one_outcome_and_no_orphan(opened: TestPlatform) -> None:
    event = await received(opened, CLEAN)

    class Racing(Pool):
        async def deidentify(self, document: PhiDocument, *, tenant: str, subject: str = "") -> Result:
            if not self.calls:
                self.calls = 1
                await handle(opened, event)  # another one is done before us
            return await super().deidentify(document, tenant=tenant, subject=subject)

    await handle(opened, event, Racing())
    assert len(await outcomes(opened)) == 1
    assert len(opened.stored(Zone.SAFE)) == 1


async def test_no_worker_leaves_the_report_to_the_bus(opened: TestPlatform) -> None:
    event, pool = await received(opened, CLEAN), Pool()
    pool.failures = [Unavailable("no worker")]
    with pytest.raises(Unavailable):
        await handle(opened, event, pool)
    assert await outcomes(opened) == []
    await handle(opened, event, pool)
    assert len(await outcomes(opened)) == 1


@pytest.mark.parametrize(
    ("failure", "reason"),
    [(WorkerFailed("x"), "deid.recogniser-failed"), (WorkerTimedOut("x"), "deid.timed-out")],
)
async def test_a_report_that_a_worker_fails_on_is_quarantined(
    opened: TestPlatform, failure: Exception, reason: str
) -> None:
    pool = Pool()
    pool.failures = [failure]
    await handle(opened, await received(opened, CLEAN), pool)
    [happened] = await outcomes(opened)
    assert isinstance(happened, events_pb2.ReportQuarantined)
    assert (happened.reason, happened.risk) == (reason, 1.0)
    assert len(opened.stored(Zone.SAFE)) == 0


async def test_a_reviewer_sees_a_quarantined_report_and_each_look_is_audited(
    opened: TestPlatform, client: httpx2.AsyncClient
) -> None:
    await handle(opened, await received(opened, RISKY))
    listed = (await client.get("/deidentification/v1/quarantine")).json()
    assert [report["report_id"] for report in listed["reports"]] == ["r1"]
    assert "Quatremer" not in str(listed)
    shown = (await client.get("/deidentification/v1/quarantine/r1")).json()
    assert shown["text"] == RISKY
    [span] = shown["spans"]
    assert RISKY[span["start"] : span["end"]] == "Quatremer"
    assert "[NAME]" in shown["replaced"]
    assert await opened.platform.database.verify_audit() == (2, None)


async def test_a_release_passes_the_replaced_text_on_once(
    opened: TestPlatform, client: httpx2.AsyncClient
) -> None:
    await handle(opened, await received(opened, RISKY, authored="2023-04-12"))
    answer = await client.post("/deidentification/v1/quarantine/r1/release", json={"revision": 0})
    assert answer.json() == {"report_id": "r1", "state": "released"}
    released, quarantined = await outcomes(opened)
    assert isinstance(quarantined, events_pb2.ReportQuarantined)
    assert released.released
    assert released.authored_at == "2023"
    safe = await opened.platform.blobs.get(BlobRef.from_message(released.text))
    assert b"Quatremer" not in safe
    assert b"[NAME]" in safe
    again = await client.post("/deidentification/v1/quarantine/r1/release", json={"revision": 0})
    assert (again.status_code, again.json()) == (200, answer.json())
    token = await opened.tokens.issue("another", [Role.REVIEWER], tenant="default", actor="test")
    another = {"authorization": f"Bearer {token}"}
    for act, body, headers in (
        ("release", {"revision": 1}, {}),
        ("release", {"revision": 0}, another),
        ("reject", {"reason": "x", "revision": 0}, {}),
    ):
        late = await client.post(f"/deidentification/v1/quarantine/r1/{act}", json=body, headers=headers)
        assert (late.status_code, late.json()["code"]) == (409, "deid.not-quarantined")
    assert len(await outcomes(opened)) == 2
    assert (await client.get("/deidentification/v1/quarantine/r1")).status_code == 409
    assert (await client.get("/deidentification/v1/quarantine")).json()["reports"] == []


async def test_a_rejection_is_published_under_the_quarantines_key(
    opened: TestPlatform, client: httpx2.AsyncClient
) -> None:
    await handle(opened, await received(opened, RISKY))
    await client.post(
        "/deidentification/v1/quarantine/r1/reject", json={"reason": "reviewer.not-a-report", "revision": 0}
    )
    quarantined, rejected = await opened.published(REPORTS_QUARANTINED)
    assert rejected.payload == events_pb2.ReportRejected(report_id="r1", reason="reviewer.not-a-report")
    assert rejected.key == quarantined.key
    row = await row_of(opened)
    assert (row.state, row.decided_by) == ("rejected", "token:test")
    for body, status in (
        ({"reason": "reviewer.not-a-report"}, 200),
        ({"reason": "reviewer.other"}, 409),
        ({"reason": "reviewer.not-a-report", "complete": True}, 409),
    ):
        again = await client.post("/deidentification/v1/quarantine/r1/reject", json={**body, "revision": 0})
        assert again.status_code == status
    assert len(await opened.published(REPORTS_QUARANTINED)) == 2


async def test_what_was_never_deidentified_cannot_be_released(
    opened: TestPlatform, client: httpx2.AsyncClient
) -> None:
    await handle(opened, await received(opened, FOREIGN))
    [happened] = await outcomes(opened)
    assert happened.reason == "deid.language"
    answer = await client.post("/deidentification/v1/quarantine/r1/release", json={"revision": 0})
    assert (answer.status_code, answer.json()["code"]) == (409, "deid.not-releasable")
    assert "status 'amended'" in answer.json()["mend"]
    assert len(opened.stored(Zone.SAFE)) == 0
    assert (
        await client.post("/deidentification/v1/quarantine/r1/reject", json={"reason": "r", "revision": 0})
    ).is_success


def displaced(state: str = "superseded", report_id: str = "r1") -> Event:
    payload = events_pb2.ReportDisplaced(report_id=report_id, state=state, displaced_by="r2")
    return new_event(payload, tenant="default", subject=SUBJECT)


async def test_a_report_displaced_before_its_turn_is_not_deidentified(opened: TestPlatform) -> None:
    await opened.deliver(displaced())
    pool = Pool()
    await handle(opened, await received(opened, CLEAN), pool)
    assert (pool.calls, await outcomes(opened), await row_of(opened)) == (0, [], None)


async def test_a_report_displaced_under_way_leaves_no_outcome_and_no_orphan(opened: TestPlatform) -> None:
    class Overtaken(Pool):
        async def deidentify(self, document: PhiDocument, *, tenant: str, subject: str = "") -> Result:
            await opened.deliver(displaced())
            return await super().deidentify(document, tenant=tenant, subject=subject)

    await handle(opened, await received(opened, CLEAN), Overtaken())
    assert (await outcomes(opened), await row_of(opened)) == ([], None)
    assert len(opened.stored(Zone.SAFE)) == 0


@pytest.mark.parametrize("state", ["superseded", "withdrawn"])
async def test_a_displaced_report_leaves_quarantine_and_cannot_be_released(
    opened: TestPlatform, client: httpx2.AsyncClient, state: str
) -> None:
    await handle(opened, await received(opened, RISKY))
    event = displaced(state)
    for _ in range(2):
        await opened.deliver(event)
    assert (await row_of(opened)).state == state
    assert (await client.get("/deidentification/v1/quarantine")).json()["reports"] == []
    for act, body in (("release", {"revision": 0}), ("reject", {"reason": "x", "revision": 0})):
        answer = await client.post(f"/deidentification/v1/quarantine/r1/{act}", json=body)
        assert (answer.status_code, answer.json()["code"]) == (409, "deid.displaced")
        assert answer.json()["state"] == state
    [happened] = await outcomes(opened)
    assert isinstance(happened, events_pb2.ReportQuarantined)
    assert len(opened.stored(Zone.SAFE)) == 0


async def test_what_is_withdrawn_stays_withdrawn(opened: TestPlatform) -> None:
    await handle(opened, await received(opened, CLEAN))
    for state in ("superseded", "withdrawn", "superseded"):
        await opened.deliver(displaced(state))
    assert (await row_of(opened)).state == "withdrawn"


@pytest.mark.parametrize(
    ("path", "status"),
    [("/nobody", 404), ("/nobody/release", 404), ("/a%20b", 422)],
)
async def test_an_unknown_report_is_a_problem_of_the_caller(
    client: httpx2.AsyncClient, path: str, status: int
) -> None:
    at = f"/deidentification/v1/quarantine{path}"
    answer = await (client.post(at, json={"revision": 0}) if path.endswith("release") else client.get(at))
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")


async def test_a_rejections_reason_is_a_code_and_not_prose(client: httpx2.AsyncClient) -> None:
    body = {"reason": "It still says Zephyrine Quatremer"}
    answer = await client.post("/deidentification/v1/quarantine/r1/reject", json=body)
    assert answer.status_code == 422
    assert "Zephyrine" not in answer.text


async def test_another_tenants_reviewer_sees_nothing(opened: TestPlatform) -> None:
    await handle(opened, await received(opened, RISKY))
    token = await opened.token(Role.REVIEWER, tenant="elsewhere")
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app=opened.app),
        base_url="http://test",
        headers={"authorization": f"Bearer {token}"},
    ) as stranger:
        assert (await stranger.get("/deidentification/v1/quarantine")).json()["reports"] == []
        assert (await stranger.get("/deidentification/v1/quarantine/r1")).status_code == 404


@pytest.mark.parametrize("role", [Role.STEWARD, Role.OPERATOR, Role.SERVICE])
async def test_only_a_reviewer_reviews(opened: TestPlatform, role: Role) -> None:
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app=opened.app),
        base_url="http://test",
        headers=await opened.headers(role),
    ) as client:
        assert (await client.get("/deidentification/v1/quarantine")).status_code == 403


async def test_no_patient_text_stands_in_the_database(opened: TestPlatform) -> None:
    await handle(opened, await received(opened, CLEAN, "r1", "1987-06-05T04:03:02+05:30"))
    await handle(opened, await received(opened, RISKY, "r2", "1987-06-05"))
    assert (await row_of(opened)).moved_at
    await outcomes(opened)
    data = opened.platform.settings.data
    stored = b"".join(path.read_bytes() for path in data.rglob("*") if path.is_file())
    for phi in (b"Zephyrine", b"Quatremer", b"4456781", b"04/12/2023", b"1987-06-05"):
        assert phi not in stored


async def test_the_migrated_schema_is_the_one_in_the_code(opened: TestPlatform) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext
    from sqlalchemy import create_engine

    url = opened.platform.database.url
    assert alembic_config("curbside_deidentification", url).get_main_option("script_location")
    engine = create_engine(sync_url(url))
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), store.METADATA) == []
    engine.dispose()


async def test_the_service_subscribes_to_what_ingestion_publishes(opened: TestPlatform) -> None:
    received, displaced, given = opened.service.subscriptions
    assert received.topic is TOPIC_OF_EVENT["ReportReceived"]
    assert (received.group, received.concurrency) == ("deidentification", 2)
    assert isinstance(received.handle, partial)
    assert (displaced.topic, displaced.group) == (TOPIC_OF_EVENT["ReportDisplaced"], "deidentification")
    assert (given.topic, given.group) == (TOPIC_OF_EVENT["OpinionGiven"], "deidentification")


async def test_it_is_not_ready_without_a_worker(opened: TestPlatform) -> None:
    with pytest.raises(Unavailable, match="none of 2"):
        await opened.service.checks["workers"]()
