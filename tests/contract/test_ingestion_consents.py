"""What patients permit and deny, over HTTP and FHIR: what is answered, recorded and announced."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest
from prometheus_client import REGISTRY
from sqlalchemy import update

from curbside.contracts.topics import CONSENTS_CHANGED, REPORTS_RECEIVED
from curbside.contracts.v1 import events_pb2
from curbside.errors import StorageFull
from curbside.identity.principal import Role
from curbside.storage.blobs import BlobStore
from curbside.storage.periods import PERIOD_BYTES, open_period
from curbside.testing.platform import TestPlatform, open_test_platform
from curbside_ingestion.consents.store import CONSENTS
from curbside_ingestion.handlers import GROUP_SIZE

pytestmark = pytest.mark.usefixtures("halves")

MRN = "MRN-4471-Katzenbach"
SAID = {"patient_id": MRN, "decision": "deny", "effective_at": "2026-03-01T14:05:00+01:00"}
PATIENT = {
    "resourceType": "Patient",
    "id": "p1",
    "identifier": [{"type": {"coding": [{"code": "MR"}]}, "value": MRN}],
}
REPORT = {
    "resourceType": "DiagnosticReport",
    "id": "r1",
    "status": "final",
    "code": {"text": "Chest film"},
    "subject": {"reference": "Patient/p1"},
    "conclusion": "No pneumonia in the chest film.",
}
CONSENT = {
    "resourceType": "Consent",
    "id": "c1",
    "status": "active",
    "scope": {"coding": [{"code": "research"}]},
    "category": [{"coding": [{"code": "research"}]}],
    "patient": {"reference": "Patient/p1"},
    "dateTime": "2026-03-01T14:05:00+01:00",
    "policyRule": {"coding": [{"code": "OPTOUT"}]},
}


class Client:
    def __init__(self, opened: TestPlatform, http: httpx2.AsyncClient) -> None:
        self.opened = opened
        self.http = http

    async def say(self, **members: Any) -> httpx2.Response:
        return await self.http.post("/ingestion/v1/consents", json=SAID | members)

    async def said(self, **members: Any) -> dict[str, Any]:
        answer = await self.say(**members)
        assert answer.status_code == 202, answer.text
        body: dict[str, Any] = answer.json()
        return body

    async def report(self, **members: Any) -> None:
        body = {"text": "IMPRESSION: Benign.", "patient_id": MRN, **members}
        answer = await self.http.post("/ingestion/v1/reports", json=body)
        assert answer.status_code == 202, answer.text

    async def bundle(self, *resources: dict[str, Any], kind: str = "batch") -> httpx2.Response:
        entries = [
            {"resource": one, "request": {"method": "POST", "url": one["resourceType"]}} for one in resources
        ]
        body = json.dumps({"resourceType": "Bundle", "type": kind, "entry": entries})
        headers = {"content-type": "application/fhir+json"}
        return await self.http.post("/ingestion/fhir", content=body, headers=headers)

    async def changes(self) -> list[tuple[str, str, int]]:
        """Each change that was announced: of which consent, to what, as the subject's how manieth."""
        payloads = [event.payload for event in await self.opened.published(CONSENTS_CHANGED)]
        assert all(isinstance(payload, events_pb2.ConsentChanged) for payload in payloads)
        return [(p.consent_id, p.decision, p.sequence) for p in payloads]  # type: ignore[attr-defined]

    async def subjects(self) -> tuple[set[str], set[str]]:
        """Of the reports, and of the consents."""
        reports = await self.opened.published(REPORTS_RECEIVED)
        consents = await self.opened.published(CONSENTS_CHANGED)
        return {event.subject for event in reports}, {event.subject for event in consents}


@asynccontextmanager
async def connect(opened: TestPlatform, *roles: Role, tenant: str = "default") -> AsyncIterator[Client]:
    headers = {"authorization": f"Bearer {await opened.token(*roles, tenant=tenant)}"}
    transport = httpx2.ASGITransport(app=opened.app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://test", headers=headers) as http:
        yield Client(opened, http)


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[TestPlatform]:
    async with open_test_platform("ingestion", tmp_path / "data") as platform:
        yield platform


@pytest.fixture
async def client(opened: TestPlatform) -> AsyncIterator[Client]:
    async with connect(opened, Role.STEWARD) as client:
        yield client


async def test_a_denial_is_recorded_announced_and_audited_under_the_patient_of_the_reports(
    client: Client,
) -> None:
    before = await client.said()
    assert (before["decision"], before["training"], before["patient_known"]) == ("deny", "barred", False)
    await client.report()
    again = await client.say()
    assert (again.status_code, again.json()) == (200, before | {"patient_known": True})
    (event,) = await client.opened.published(CONSENTS_CHANGED)
    payload = event.payload
    assert isinstance(payload, events_pb2.ConsentChanged)
    assert (payload.consent_id, payload.scope, payload.decision) == (before["consent_id"], "training", "deny")
    assert open_period(
        payload.period, tenant="default", consent_id=payload.consent_id, ring=client.opened.platform.ring
    ) == (datetime(2026, 3, 1, 13, 5, tzinfo=UTC), None)
    reports, consents = await client.subjects()
    assert reports == consents == {event.subject}
    assert event.key == f"default:{event.subject}"
    shown = (await client.http.get(f"/ingestion/v1/consents/{before['consent_id']}")).json()
    assert shown["subject"] == event.subject
    listed = (await client.http.get("/ingestion/v1/consents")).json()
    assert (listed["consents"], listed["next"]) == ([shown], None)
    assert (await client.http.get("/ingestion/v1/consents/none")).json()["code"] == "consent.unknown"
    records, broken = await client.opened.platform.database.verify_audit()
    assert (records, broken) == (4, None)  # the consent, the report, and two looks


async def test_nothing_on_the_disk_shows_the_patient_who_opted_out(
    client: Client, disks: Callable[[], Iterator[Path]]
) -> None:
    await client.said(reference="form of Katzenbach")
    await client.bundle(PATIENT, CONSENT)
    await client.say(decision="no")
    await client.changes()
    searched = 0
    for path in disks():
        try:
            data = path.read_bytes()
        except FileNotFoundError:  # a server tidies up meanwhile
            continue
        searched += len(data)
        assert b"Katzenbach" not in data, path
        assert b"MRN-4471" not in data, path
    assert searched > 1_000


async def test_the_later_counts_in_whatever_order_they_come(client: Client) -> None:
    later = "2026-05-01T08:00:00Z"
    assert (await client.said(decision="permit", effective_at=later))["training"] == "allowed"
    assert (await client.said())["training"] == "allowed", "it is the earlier one"
    assert (await client.said(effective_at="2026-06-01"))["training"] == "barred"
    assert (await client.said(decision="permit", effective_at="2026-06-01"))["training"] == "barred"
    ended = await client.said(patient_id="other", effective_at="2026-03-01", ends_at="2026-04-01")
    assert ended["training"] == "allowed"
    assert sorted(sequence for *_, sequence in await client.changes()) == [1, 1, 2, 3, 4], "by patient"


async def test_a_patient_who_opts_out_again_is_heard_again(client: Client) -> None:
    first = await client.said(effective_at=None)
    assert (await client.say(effective_at=None)).json()["consent_id"] == first["consent_id"]
    now = datetime.now(UTC).isoformat()
    assert (await client.said(decision="permit", effective_at=now))["training"] == "allowed"
    second = await client.said(effective_at=None)
    assert second["consent_id"] != first["consent_id"]
    assert second["training"] == "barred"
    assert (await client.say(effective_at=None)).json()["consent_id"] == second["consent_id"]


async def test_what_was_entered_in_error_is_as_if_it_had_never_been_said(client: Client) -> None:
    error = {"reference": "17", "status": "entered-in-error"}
    first = await client.said(reference="17")
    other = await client.said(reference="18")
    assert (await client.said(**error))["training"] == "barred", "the other stands"
    assert (await client.say(**error)).status_code == 200
    assert (await client.said(reference="18", status="entered-in-error"))["training"] == "allowed"
    refused = await client.say(reference="17")
    assert (refused.status_code, refused.json()["code"]) == (409, "consent.void")
    changes = await client.changes()
    assert [(which, what) for which, what, _ in changes][:3] == [
        (first["consent_id"], "deny"),
        (other["consent_id"], "deny"),
        (first["consent_id"], "void"),
    ]
    assert [sequence for *_, sequence in changes] == [*range(1, len(changes) + 1)]
    # The same reference of another patient, or from another source, is another consent.
    assert (await client.said(reference="17", patient_id="another"))["training"] == "barred"
    assert (await client.said(reference="17", source="ehr"))["training"] == "barred"


@pytest.mark.parametrize("order", ["before", "with", "after"])
async def test_a_fhir_consent_meets_the_reports_of_its_patient(client: Client, order: str) -> None:
    if order == "before":
        answer = await client.bundle(PATIENT, CONSENT)
        assert [entry["response"]["status"] for entry in answer.json()["entry"]] == ["200 OK", "202 Accepted"]
        await client.bundle(PATIENT, REPORT)
    elif order == "with":
        answer = await client.bundle(PATIENT, REPORT, CONSENT, kind="transaction")
        statuses = [entry["response"]["status"][:3] for entry in answer.json()["entry"]]
        assert statuses == ["200", "202", "202"]
    else:
        await client.bundle(PATIENT, REPORT)
        answer = await client.bundle(PATIENT, CONSENT)
    reports, consents = await client.subjects()
    assert reports == consents
    assert len(reports) == 1
    again = await client.bundle(PATIENT, CONSENT)
    (_, entry) = again.json()["entry"]
    assert entry["response"]["status"] == "200 OK"
    shown = await client.http.get(entry["response"]["location"])
    assert (shown.json()["decision"], shown.json()["source"]) == ("deny", "fhir")
    assert len(await client.changes()) == 1
    assert (await client.http.get("/ingestion/v1/ledger")).json() == {
        **(await client.http.get("/ingestion/v1/ledger")).json(),
        "received": 1,
        "whole": True,
    }
    assert (await client.say(effective_at="2026-02-01")).json()["patient_known"]


async def test_a_consent_comes_by_itself_too_and_an_unclear_one_is_refused_by_name(client: Client) -> None:
    headers = {"content-type": "application/fhir+json"}
    plain = CONSENT | {"patient": {"reference": f"Patient/{MRN}"}}
    posted = await client.http.post("/ingestion/fhir/Consent", content=json.dumps(plain), headers=headers)
    assert posted.status_code == 202, posted.text
    assert "consent is durable" in posted.json()["issue"][0]["diagnostics"]
    assert (await client.http.get(posted.headers["location"])).json()["decision"] == "deny"
    for path in ("/ingestion/v1/reports", "/ingestion/v1/reports:batch"):
        answer = await client.http.post(path, content=json.dumps(plain), headers=headers)
        assert answer.status_code == 202, answer.text
    (accepted,) = answer.json()["accepted"]
    assert (accepted["decision"], accepted["training"], accepted["row"]) == ("deny", "barred", 1)
    unclear = plain | {"policyRule": {"coding": [{"code": "HOUSE-RULE"}]}}
    refused = await client.http.post("/ingestion/fhir/Consent", content=json.dumps(unclear), headers=headers)
    assert refused.status_code == 422
    (issue,) = refused.json()["issue"]
    assert issue["details"]["text"] == "consent.unclear"
    assert "policyRule OPTIN or OPTOUT" in issue["diagnostics"]
    assert "Katzenbach" not in refused.text
    whole = await client.bundle(PATIENT, REPORT, unclear, kind="transaction")
    assert whole.status_code == 422
    batch = await client.bundle(PATIENT, REPORT, unclear)
    statuses = [entry["response"]["status"][:3] for entry in batch.json()["entry"]]
    assert statuses == ["200", "202", "422"]
    other = plain | {"scope": {"coding": [{"code": "adr"}]}, "category": [{"coding": [{"code": "acd"}]}]}
    said = await client.http.post("/ingestion/fhir/Consent", content=json.dumps(other), headers=headers)
    assert said.json()["issue"][0]["details"]["text"] == "document.empty"
    assert len(await client.changes()) == 2, "with its id as its reference, and in no other source"


async def test_of_a_transaction_that_is_refused_nothing_is_permitted(client: Client) -> None:
    permission = CONSENT | {
        "id": "c2",
        "policyRule": {"coding": [{"code": "OPTIN"}]},
        "dateTime": "2026-04-01",
    }
    await client.bundle(PATIENT, REPORT)
    changed = REPORT | {"conclusion": "A small effusion."}
    refused = await client.bundle(PATIENT, permission, changed, kind="transaction")
    assert (refused.status_code, refused.json()["issue"][0]["details"]["text"]) == (409, "report.changed")
    assert await client.changes() == []
    refused = await client.bundle(PATIENT, CONSENT, changed, kind="transaction")
    assert refused.status_code == 409
    assert [what for _, what, _ in await client.changes()] == ["deny"], "what bars is heard all the same"
    other = REPORT | {"id": "r2"}
    taken = await client.bundle(PATIENT, permission, other, kind="transaction")
    assert [one["response"]["status"][:3] for one in taken.json()["entry"]] == ["200", "202", "202"]
    assert [what for _, what, _ in await client.changes()] == ["deny", "permit"]
    await client.bundle(PATIENT, permission | {"status": "entered-in-error"})
    refused = await client.bundle(PATIENT, permission, REPORT | {"id": "r3"}, kind="transaction")
    assert (refused.status_code, refused.json()["issue"][0]["details"]["text"]) == (409, "consent.void")
    assert refused.json()["issue"][0]["expression"] == ["Bundle.entry[1].resource.reference"]
    assert (await client.http.get("/ingestion/v1/ledger")).json()["received"] == 2


async def test_no_report_goes_before_a_word_that_cannot_be_recorded(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(_: BlobStore) -> None:
        raise StorageFull("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(BlobStore, "check_space", full)
        answer = await client.bundle(PATIENT, REPORT, CONSENT)
        assert answer.status_code == 507
    assert await client.subjects() == (set(), set())


async def test_who_may_say_and_read_consents(opened: TestPlatform) -> None:
    async with connect(opened, Role.PRIVACY_OFFICER) as officer:
        await officer.said()
        assert len((await officer.http.get("/ingestion/v1/consents")).json()["consents"]) == 1
        assert (await officer.http.get("/ingestion/v1/reports")).status_code == 403
    async with connect(opened, Role.STEWARD, tenant="other") as stranger:
        assert (await stranger.http.get("/ingestion/v1/consents")).json()["consents"] == []
        answer = await stranger.said(decision="permit", effective_at="2026-10-01")
        assert answer["training"] == "allowed"
        async with connect(opened, Role.PRIVACY_OFFICER) as officer:
            assert (await officer.say()).json()["training"] == "barred", "another tenant's word is not ours"
    async with connect(opened, Role.CLINICIAN) as clinician:
        assert (await clinician.say()).status_code == 403
        assert (await clinician.http.get("/ingestion/v1/consents")).status_code == 403


async def test_a_bad_consent_is_a_problem_that_shows_nothing(client: Client) -> None:
    answer = await client.say(decision="nein")
    problem = answer.json()
    assert (answer.status_code, problem["code"], problem["field"]) == (422, "consent.bad-field", "decision")
    assert "Katzenbach" not in answer.text
    assert problem["mend"]
    form = await client.http.post("/ingestion/v1/consents", data={"patient_id": MRN})
    assert form.status_code == 415
    assert await client.changes() == []


async def test_a_bundle_may_hold_more_consents_than_one_transaction_takes(client: Client) -> None:
    patients = [f"Patient/{number}" for number in range(GROUP_SIZE + 10)]
    consents = [
        CONSENT | {"id": f"c{number}", "patient": {"reference": patient}}
        for number, patient in enumerate(patients)
    ]
    for said in ("202 Accepted", "200 OK"):
        answer = await client.bundle(*consents)
        assert [one["response"]["status"] for one in answer.json()["entry"]] == [said] * len(patients)
    assert len(await client.changes()) == len(patients)


async def test_where_a_period_does_not_open_nothing_is_recorded_and_nothing_shown(client: Client) -> None:
    first = await client.said()
    async with client.opened.platform.database.begin() as transaction:
        await transaction.session.execute(update(CONSENTS).values(period=bytes(PERIOD_BYTES)))
    for answer in (
        await client.say(decision="permit", effective_at="2026-04-01"),
        await client.http.get("/ingestion/v1/consents"),
        await client.http.get(f"/ingestion/v1/consents/{first['consent_id']}"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (500, "storage.damaged-period")
        assert "2026" not in answer.text
    assert [what for _, what, _ in await client.changes()] == ["deny"]
    assert (await client.said(patient_id="another"))["training"] == "barred"


async def test_pages_and_figures_tell_how_many(client: Client) -> None:
    name = "curbside_ingestion_recorded_consents_total"
    before = REGISTRY.get_sample_value(name, {"outcome": "deny"}) or 0
    for number in range(3):
        await client.said(patient_id=f"p{number}")
    assert REGISTRY.get_sample_value(name, {"outcome": "deny"}) == before + 3
    first = (await client.http.get("/ingestion/v1/consents?limit=2")).json()
    second = (await client.http.get("/ingestion/v1/consents", params={"after": first["next"]})).json()
    assert (len(first["consents"]), len(second["consents"]), second["next"]) == (2, 1, None)
