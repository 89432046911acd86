"""Ingestion's HTTP API on a real platform: what a 202 promises, and what every refusal says."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, delete, select

from curbside.contracts.codec import from_bytes
from curbside.contracts.events import Event, new_event
from curbside.contracts.topics import REPORTS_DISPLACED, REPORTS_RECEIVED
from curbside.contracts.v1 import events_pb2
from curbside.errors import NotFound, StorageFull
from curbside.identity.principal import Principal, Role
from curbside.phi import PhiText
from curbside.settings import RuntimeSettings
from curbside.storage.blobs import BlobRef, BlobStore
from curbside.storage.sqlite import sync_url
from curbside.storage.zones import Zone
from curbside.testing.platform import TestPlatform, open_test_platform
from curbside_ingestion import store
from curbside_ingestion.domain.formats import Format
from curbside_ingestion.domain.report import read_submission
from curbside_ingestion.domain.revisions import ReportStatus
from curbside_ingestion.domain.rows import GoodRow
from curbside_ingestion.domain.states import ReportState
from curbside_ingestion.files import Row, read_rows
from curbside_ingestion.handlers import GROUP_SIZE, receive_reports
from curbside_ingestion.receiving import Accepted, Refused, take_in
from curbside_ingestion.store import METADATA

pytestmark = pytest.mark.usefixtures("halves")

NAME = "Wolfgang Katzenbach"
REPORT = f"FINDINGS: {NAME} has a 5 mm nodule.\nIMPRESSION: Benign."


class Client:
    """The API as a caller with one token sees it."""

    def __init__(self, opened: TestPlatform, http: httpx2.AsyncClient) -> None:
        self.opened = opened
        self.http = http

    async def post(self, **body: Any) -> httpx2.Response:
        return await self.http.post("/ingestion/v1/reports", json={"text": REPORT, **body})

    async def batch(
        self, content: bytes | str, media: str, headers: Mapping[str, str] | None = None, **query: str
    ) -> httpx2.Response:
        return await self.http.post(
            "/ingestion/v1/reports:batch",
            content=content,
            params=query,
            headers={"content-type": media, **(headers or {})},
        )

    async def accepted(self, **body: Any) -> str:
        response = await self.post(**body)
        assert response.status_code == 202, response.text
        return str(response.json()["report_id"])

    async def get(self, path: str = "", **query: Any) -> Any:
        response = await self.http.get(f"/ingestion/v1/{path}", params=query)
        assert response.status_code == 200, response.text
        return response.json()

    async def state(self, report_id: str) -> str:
        return str((await self.get(f"reports/{report_id}"))["state"])

    async def received(self) -> list[Event]:
        return await self.opened.published(REPORTS_RECEIVED)

    async def displaced(self) -> list[tuple[str, str, str]]:
        """Each report that was displaced, as what, and by which."""
        payloads = [event.payload for event in await self.opened.published(REPORTS_DISPLACED)]
        assert all(isinstance(payload, events_pb2.ReportDisplaced) for payload in payloads)
        return [(p.report_id, p.state, p.displaced_by) for p in payloads]  # type: ignore[attr-defined]

    async def deliver(self, payload: Any) -> Event:
        event = new_event(payload, tenant="default", subject="s")
        await self.opened.deliver(event)
        return event


async def connect(opened: TestPlatform, *roles: Role) -> Client:
    transport = httpx2.ASGITransport(app=opened.app)
    headers = await opened.headers(*roles) if roles else {}
    return Client(opened, httpx2.AsyncClient(transport=transport, base_url="http://test", headers=headers))


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[TestPlatform]:
    async with open_test_platform("ingestion", tmp_path / "data") as platform:
        yield platform


@pytest.fixture
async def client(opened: TestPlatform) -> AsyncIterator[Client]:
    client = await connect(opened, Role.STEWARD)
    yield client
    await client.http.aclose()


def assert_problem(response: httpx2.Response, status: int, code: str, field: str | None) -> dict[str, Any]:
    """It is problem+json with that status, code and field, a mend, and no word of the input."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = response.json()
    assert problem["code"] == code
    assert problem.get("field") == field
    assert problem["mend"]
    assert "Katzenbach" not in response.text
    return problem


async def test_a_202_means_that_original_text_record_audit_and_event_are_there(client: Client) -> None:
    body = json.dumps(
        {
            "text": REPORT,
            "external_id": "ACC-99871",
            "patient_id": "MRN-4471",
            "type": "radiology",
            "authored_at": "2026-03-01T14:05:00+01:00",
            "source": "ris",
            "known": {"names": [NAME]},
        }
    ).encode()
    response = await client.http.post(
        "/ingestion/v1/reports", content=body, headers={"content-type": "application/json"}
    )
    assert response.status_code == 202
    accepted = response.json()
    assert (accepted["state"], accepted["type"]) == ("pending", "radiology")

    (event,) = await client.received()
    payload = event.payload
    assert isinstance(payload, events_pb2.ReportReceived)
    assert payload.report_id == accepted["report_id"]
    assert payload.report_type == "radiology"
    assert payload.status == events_pb2.REPORT_STATUS_FINAL
    blobs = client.opened.platform.blobs
    assert await blobs.get(BlobRef.from_message(payload.original)) == body
    document = from_bytes(await blobs.get(BlobRef.from_message(payload.text)))
    assert document.text.reveal() == REPORT
    assert document.authored_at == PhiText("2026-03-01T14:05:00+01:00")
    assert [name.reveal() for name in document.known.names] == [NAME]
    assert [mrn.reveal() for mrn in document.known.mrns] == ["MRN-4471"]
    assert [number.reveal() for number in document.known.numbers] == ["ACC-99871"]
    assert payload.text.subject == event.subject == payload.original.subject

    shown = await client.get(f"reports/{accepted['report_id']}")
    assert shown["external_id"] == "ACC-99871"
    assert shown["authored_at"] == "2026-03-01T14:05:00+01:00"
    assert [moment["state"] for moment in shown["history"]] == ["pending"]
    records, broken = await client.opened.platform.database.verify_audit()
    assert (records, broken) == (2, None)


async def test_nothing_on_the_disk_shows_a_patient(
    client: Client, disks: Callable[[], Iterator[Path]]
) -> None:
    await client.accepted(
        external_id="ACC-99871",
        patient_id="MRN-4471",
        known={"names": [NAME]},
        authored_at="1987-06-05T04:03:02+05:30",
        type=f"Letter re {NAME}",
    )
    await client.post(external_id="ACC-99871", text="other", authored_at="1987-06-05")
    shown = await client.get("reports")
    assert shown["reports"][0]["authored_at"] == "1987-06-05T04:03:02+05:30"
    assert shown["reports"][0]["type"] == "other"
    await client.batch(f"text,mrn\n{NAME},MRN-4471\n", "text/csv")
    await client.received()
    assert client.opened.stored(Zone.PHI)
    searched = 0
    for path in disks():
        try:
            data = path.read_bytes()
        except FileNotFoundError:  # a server tidies up meanwhile
            continue
        searched += len(data)
        for secret in (b"Katzenbach", b"katzenbach", b"ACC-99871", b"MRN-4471", b"1987-06-05", b"198706"):
            assert secret not in data, path
    assert searched > 1_000


async def test_a_patients_reports_share_a_subject_and_others_have_their_own(client: Client) -> None:
    patients = {"a": "p1", "b": "p1", "c": "p2", "d": "", "e": ""}
    reports = {text: await client.accepted(text=text, patient_id=id) for text, id in patients.items()}
    events = await client.received()
    subject_of = {event.payload.report_id: event.subject for event in events}  # type: ignore[attr-defined]
    a, b, *others = [subject_of[report] for report in reports.values()]
    assert a == b
    assert len({a, *others}) == 4


async def test_a_duplicate_is_told_which_report_it_is(client: Client) -> None:
    first = await client.accepted(external_id="e1", source="ris")
    problem = assert_problem(
        await client.post(external_id="e1", source="ris"), 409, "report.duplicate", "external_id"
    )
    assert (problem["report_id"], problem["state"]) == (first, "pending")
    assert await client.accepted(external_id="e1", source="other")
    second = await client.accepted()
    assert (await client.post()).json()["report_id"] == second
    assert await client.accepted(patient_id="p1")
    assert (await client.get("ledger"))["received"] == 4


async def test_two_posts_of_one_report_at_once_give_one_202(client: Client) -> None:
    answers = await asyncio.gather(*(client.post(external_id="e1", patient_id="p1") for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [202] + [409] * 7
    (event,) = await client.received()
    assert len({answer.json()["report_id"] for answer in answers}) == 1
    # The others wrote nothing: original and text of the one lie in one object.
    assert len(client.opened.stored(Zone.PHI)) == 1
    assert event.payload.original.subject == event.payload.text.subject == event.subject


async def test_other_content_under_the_same_id_is_refused_and_an_amendment_supersedes(client: Client) -> None:
    first = await client.accepted(external_id="e1")
    problem = assert_problem(
        await client.post(external_id="e1", text="other"), 409, "report.changed", "status"
    )
    assert problem["existing"] == {"report_id": first, "state": "pending"}
    second = await client.accepted(external_id="e1", text="other", status="amended")
    assert await client.state(first) == "superseded"
    assert await client.state(second) == "pending"
    await client.deliver(events_pb2.ReportDeidentified(report_id=first))
    shown = await client.get(f"reports/{first}")
    assert [moment["state"] for moment in shown["history"]] == ["pending", "superseded"]
    assert shown["reason"] == "status.replaced"
    assert await client.displaced() == [(first, "superseded", second)]


async def test_a_displaced_report_is_announced_under_its_own_patient(client: Client) -> None:
    first = await client.accepted(external_id="e1", patient_id="p1")
    second = await client.accepted(external_id="e1", patient_id="p2", status="amended")
    events = await client.received()
    subject_of = {event.payload.report_id: event.subject for event in events}  # type: ignore[attr-defined]
    (event,) = await client.opened.published(REPORTS_DISPLACED)
    assert event.subject == subject_of[first] != subject_of[second]


async def test_a_report_that_displaces_nothing_announces_nothing(client: Client) -> None:
    await client.accepted(external_id="e1", status="preliminary")
    await client.accepted(external_id="e1", text="other", status="final")
    before = await client.displaced()
    assert len(before) == 1
    assert (await client.post(external_id="e1", text="third")).status_code == 409
    assert (await client.post(external_id="e1", text="other")).status_code == 409
    await client.accepted(external_id="e2", status="entered-in-error")
    assert await client.displaced() == before


async def test_a_retraction_withdraws_and_its_status_stands_in_the_event(client: Client) -> None:
    first = await client.accepted(external_id="e1", status="preliminary")
    second = await client.accepted(external_id="e1", text="other", status="entered-in-error")
    assert [await client.state(report) for report in (first, second)] == ["withdrawn", "withdrawn"]
    assert await client.displaced() == [(first, "withdrawn", second)]
    # A set: without a patient each is a subject of its own, and only events of one subject are in order.
    statuses = {event.payload.status for event in await client.received()}  # type: ignore[attr-defined]
    assert statuses == {events_pb2.REPORT_STATUS_PRELIMINARY, events_pb2.REPORT_STATUS_ENTERED_IN_ERROR}


async def test_states_follow_events_once_and_the_ledger_is_whole(client: Client) -> None:
    reports = [await client.accepted(text=f"report {n}") for n in range(5)]
    await client.deliver(events_pb2.ReportDeidentified(report_id=reports[0]))
    event = await client.deliver(events_pb2.ReportQuarantined(report_id=reports[1], reason="deid.risk"))
    await client.opened.deliver(event)
    await client.deliver(events_pb2.ReportRejected(report_id=reports[2], reason="language"))
    await client.deliver(events_pb2.ReportQuarantined(report_id=reports[3], reason="deid.risk"))
    await client.deliver(events_pb2.ReportDeidentified(report_id=reports[3], released=True))
    ledger = await client.get("ledger")
    assert ledger["received"] == 5
    assert ledger["whole"] is True
    assert set(ledger["states"]) == set(ReportState)
    assert {state: count for state, count in ledger["states"].items() if count} == {
        "pending": 1,
        "deidentified": 1,
        "quarantined": 1,
        "rejected": 1,
        "released": 1,
    }
    shown = await client.get(f"reports/{reports[1]}")
    assert shown["reason"] == "deid.risk"
    assert [moment["state"] for moment in shown["history"]] == ["pending", "quarantined"]
    with pytest.raises(NotFound):
        await client.deliver(events_pb2.ReportRejected(report_id="0" * 32))


async def test_a_lost_record_is_seen_in_the_ledger(client: Client) -> None:
    report = await client.accepted()
    async with client.opened.platform.database.begin() as transaction:
        for table in (store.HISTORY, store.REPORTS):
            await transaction.session.execute(delete(table).where(table.c.report_id == report))
    ledger = await client.get("ledger")
    assert (ledger["received"], ledger["whole"]) == (1, False)


async def test_reports_are_paged_in_the_order_of_arrival(client: Client) -> None:
    reports = [await client.accepted(text=f"report {n}", external_id=f"e{n}") for n in range(5)]
    await client.deliver(events_pb2.ReportDeidentified(report_id=reports[1]))
    page = await client.get("reports", limit=2)
    seen = page["reports"]
    while page["next"]:
        page = await client.get("reports", limit=2, after=page["next"])
        seen += page["reports"]
    assert sorted(report["report_id"] for report in seen) == sorted(reports)
    assert {report["external_id"] for report in seen} == {f"e{n}" for n in range(5)}
    pending = await client.get("reports", state="pending")
    assert len(pending["reports"]) == 4


async def test_a_batch_accepts_its_good_rows_and_lists_its_bad_ones(client: Client) -> None:
    body = f'id,text\na,{NAME} is well\nb,\na,{NAME} is well\nc,fine,surplus\nd,"no nodule"\n'
    response = await client.batch(body, "text/csv; charset=utf-8", source="ris")
    assert response.status_code == 202
    answer = response.json()
    assert [(row["row"], row["external_id"]) for row in answer["accepted"]] == [(1, "a"), (5, "d")]
    assert [(row["row"], row["problem"]["code"]) for row in answer["rejected"]] == [
        (2, "report.empty"),
        (3, "report.duplicate"),
        (4, "report.shape"),
    ]
    assert answer["rejected"][1]["problem"]["report_id"] == answer["accepted"][0]["report_id"]
    assert "Katzenbach" not in response.text
    again = assert_problem(
        await client.batch(body, "text/csv", source="ris"), 422, "report.no-good-row", "body"
    )
    assert [row["row"] for row in again["rejected"]] == [1, 2, 3, 4, 5]
    assert (await client.get("ledger"))["received"] == 2


async def test_a_text_a_list_and_lines_are_batches_too(client: Client) -> None:
    text = await client.batch("No nodule.", "text/plain", filename="a.txt", source="files")
    assert [row["external_id"] for row in text.json()["accepted"]] == ["a.txt"]
    duplicate = await client.batch("No nodule.", "text/plain", filename="a.txt", source="files")
    problem = assert_problem(duplicate, 409, "report.duplicate", "external_id")
    assert problem["report_id"] == text.json()["accepted"][0]["report_id"]
    listed = await client.batch(json.dumps({"reports": [{"text": "b"}, {"text": "c"}]}), "application/json")
    assert len(listed.json()["accepted"]) == 2
    lines = await client.batch('{"id": 1, "text": "d"}\n{"id": 2}\n', "application/x-ndjson")
    assert [row["row"] for row in lines.json()["rejected"]] == [2]
    latin = await client.batch("Müller".encode("latin-1"), "text/plain; charset=ISO-8859-1")
    assert latin.status_code == 202


@pytest.mark.parametrize(
    ("media", "content", "status", "code", "field"),
    [
        ("text/plain", b"", 422, "report.empty", "body"),
        ("text/plain", b" \n ", 422, "report.empty", "body"),
        ("text/plain", b"x" * 200_001, 413, "report.too-large", "text"),
        ("text/plain", b"\x1f\x8b\x08", 415, "report.binary", "body"),
        ("text/plain", b"a\x00b", 415, "report.binary", "body"),
        ("text/plain", NAME.encode() + b" M\xfcller", 422, "report.wrong-encoding", "text"),
        ("text/plain", NAME.encode() + b" \xc3", 422, "report.truncated", "body"),
        ("text/plain", f"{NAME} \ufffd".encode(), 422, "report.truncated", "text"),
        ("text/csv", f'text\n"{NAME}'.encode(), 422, "report.truncated", "body"),
        ("text/csv", f"name,age\n{NAME},5\n".encode(), 422, "report.missing-columns", "text"),
        ("application/json", f'[{{"text": "{NAME}'.encode(), 422, "report.truncated", "body"),
        ("application/json", f'"{NAME}"'.encode(), 422, "report.shape", "body"),
        ("application/json", f'{{"reports": "{NAME}"}}'.encode(), 422, "report.shape", "reports"),
        ("application/json", b'[{"text": 5}]', 422, "report.bad-field", "text"),
        ("application/x-ndjson", b"\x1f\x8b\x08", 415, "report.binary", "body"),
        ("audio/wav", b"RIFF", 415, "report.unsupported-type", "Content-Type"),
        ("text/plain; charset=ebcdic", b"abc", 422, "report.wrong-encoding", "Content-Type"),
    ],
    ids=range(17),
)
async def test_bad_input_is_a_problem_that_names_the_field_and_the_mend(
    client: Client, media: str, content: bytes, status: int, code: str, field: str
) -> None:
    assert_problem(await client.batch(content, media), status, code, field)
    assert (await client.get("ledger"))["received"] == 0


@pytest.mark.parametrize(
    ("body", "status", "code", "field"),
    [
        (b"", 422, "report.empty", "body"),
        (b"{", 422, "report.truncated", "body"),
        (b"[]", 422, "report.shape", "body"),
        (b'{"txt": "a"}', 422, "report.shape", "body"),
        (b'{"text": " "}', 422, "report.empty", "text"),
        (b'{"text": "a\\u0000b"}', 415, "report.binary", "text"),
        (b'{"text": "\\ud800"}', 422, "report.wrong-encoding", "text"),
        (b'{"text": "M\xfcller"}', 422, "report.wrong-encoding", "text"),
        (b'{"text": "a", "status": "done"}', 422, "report.bad-field", "status"),
        (b'{"text": "a", "authored_at": "2026-03-01T10:00"}', 422, "report.bad-field", "authored_at"),
        (b'{"text": "a", "known": {"names": "Katzenbach"}}', 422, "report.bad-field", "known.names"),
    ],
    ids=range(11),
)
async def test_a_bad_report_is_a_problem_that_names_the_field_and_the_mend(
    client: Client, body: bytes, status: int, code: str, field: str
) -> None:
    response = await client.http.post(
        "/ingestion/v1/reports", content=body, headers={"content-type": "application/json"}
    )
    assert_problem(response, status, code, field)


async def test_a_body_of_another_type_or_compressed_is_refused(client: Client) -> None:
    response = await client.http.post("/ingestion/v1/reports", content=b"text")
    assert_problem(response, 415, "report.unsupported-type", "Content-Type")
    response = await client.batch(b"\x1f\x8b", "text/plain", {"content-encoding": "gzip"})
    assert_problem(response, 415, "report.unsupported-type", "Content-Encoding")


async def test_a_body_is_checked_against_its_digest(client: Client) -> None:
    digest = base64.b64encode(hashlib.sha256(b"No nodule.").digest()).decode()
    headers = {"content-digest": f"sha-256=:{digest}:"}
    response = await client.batch("No nodul", "text/plain", headers)
    assert_problem(response, 422, "report.digest-mismatch", "Content-Digest")
    assert (await client.batch("No nodule.", "text/plain", headers)).status_code == 202


async def test_a_batch_of_too_many_rows_is_refused_whole(client: Client) -> None:
    lines = "\n".join(json.dumps({"text": f"r{n}"}) for n in range(2001))
    assert_problem(await client.batch(lines, "application/x-ndjson"), 413, "report.too-many", "body")
    assert (await client.get("ledger"))["received"] == 0


async def test_a_full_disk_is_said_before_anything_is_acknowledged(tmp_path: Path, halves: str) -> None:
    if halves == "outside":
        pytest.skip("only a directory knows how much room is left")
    settings = RuntimeSettings(data_dir=tmp_path, min_free_disk_bytes=10**18)
    async with open_test_platform("ingestion", tmp_path, settings=settings) as opened:
        client = await connect(opened, Role.STEWARD)
        assert_problem(await client.post(), 507, "storage.full", None)
        assert_problem(await client.batch("text", "text/plain"), 507, "storage.full", None)
        ready = await client.http.get("/readyz")
        assert ready.status_code == 503
        assert "MB are free" in ready.json()["services"]["ingestion"]["space"]
        assert await client.get("ledger") == {
            "received": 0,
            "states": dict.fromkeys(ReportState, 0),
            "whole": True,
        }
        await client.http.aclose()


class FillingStore(BlobStore):
    """A store whose disk is full from the second group on."""

    def __init__(self, store: BlobStore) -> None:
        vars(self).update(vars(store))
        self.groups = 0

    async def put_many(self, zone: Zone, blobs: Sequence[tuple[str, bytes]], *, tenant: str) -> list[BlobRef]:
        self.groups += 1
        if self.groups > 1:
            raise StorageFull("only 0 MB are free", mend="Free space.")
        return await super().put_many(zone, blobs, tenant=tenant)


async def test_a_disk_that_fills_midway_refuses_only_the_rows_that_are_not_durable(
    client: Client,
) -> None:
    platform = client.opened.platform
    rows = [GoodRow(n, read_submission({"text": f"report {n}"}), b"") for n in range(1, GROUP_SIZE + 11)]
    filling = FillingStore(platform.blobs)
    outcomes = await receive_reports(
        rows,
        Format.JSON,
        Principal("t", "default", frozenset()),
        take_in=partial(take_in, database=platform.database, blobs=filling, ring=platform.ring),
        ring=platform.ring,
        documents=asyncio.Event(),
    )
    assert [type(outcome) for outcome in outcomes] == [Accepted] * GROUP_SIZE + [Refused] * 10
    assert (await client.get("ledger"))["received"] == GROUP_SIZE
    assert len(await client.received()) == GROUP_SIZE


async def test_rights_are_asked_for_and_tenants_do_not_see_each_other(
    client: Client, opened: TestPlatform
) -> None:
    report = await client.accepted()
    stranger = await connect(opened)
    assert (await stranger.post()).status_code == 401
    clinician = await connect(opened, Role.CLINICIAN)
    assert (await clinician.post()).status_code == 403
    assert (await clinician.http.get("/ingestion/v1/ledger")).status_code == 403
    other = await connect(opened)
    other.http.headers["authorization"] = f"Bearer {await opened.token(Role.STEWARD, tenant='other')}"
    assert_problem(
        await other.http.get(f"/ingestion/v1/reports/{report}"), 404, "report.unknown", "report_id"
    )
    assert (await other.get("ledger"))["received"] == 0
    assert (await other.post()).status_code == 202


async def test_whoever_reads_a_report_stands_in_the_audit(client: Client) -> None:
    report = await client.accepted()
    await client.get(f"reports/{report}")
    await client.get("reports")
    audit = METADATA.tables["audit"]
    async with client.opened.platform.database.read() as session:
        rows = (
            await session.execute(select(audit.c.action, audit.c.target).order_by(audit.c.sequence))
        ).all()
    assert [tuple(row) for row in rows] == [
        ("report.received", report),
        ("report.read", report),
        ("report.listed", report),
    ]


@pytest.mark.parametrize("rows", [1, 10])
async def test_a_revision_is_inserted_once(rows: int, client: Client) -> None:
    await client.accepted(external_id="e1")
    async with client.opened.platform.database.read() as session:
        row = (await session.execute(select(store.REPORTS))).mappings().one()
    again = {
        **row,
        "report_id": "f" * 32,
        "status": ReportStatus(row["status"]),
        "state": ReportState(row["state"]),
        "original": BlobRef.from_json(row["original"]),
        "text": BlobRef.from_json(row["text"]),
    }
    with pytest.raises(store.RevisionTaken):
        await client.opened.platform.database.transact(
            lambda writing: store.add_reports(writing, [store.NewReport(**again)] * rows)
        )


async def test_a_folder_posted_twice_is_there_once(client: Client, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_text("No nodule.")
    (tmp_path / "in" / "b.csv").write_text("text\nfirst\nsecond\n")
    statuses = []
    for _ in range(2):
        for row in read_rows([tmp_path / "in"]):
            assert isinstance(row, Row)
            response = await client.http.post("/ingestion/v1/reports", json=row.to_body(source="in"))
            statuses.append(response.status_code)
    assert statuses == [202] * 3 + [409] * 3


def test_the_migrated_schema_is_that_of_the_tables(opened: TestPlatform) -> None:
    engine = create_engine(sync_url(opened.platform.database.url))
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
    engine.dispose()
