"""FHIR bundles: a transaction is taken in whole or not at all, and each entry is answered in its place."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import httpx2
import pytest

from curbside.contracts.topics import REPORTS_DISPLACED, REPORTS_RECEIVED
from curbside.errors import StorageFull, TooBusy
from curbside.identity.principal import Role
from curbside.storage.zones import Zone
from curbside.testing.platform import TestPlatform, open_test_platform
from curbside_ingestion.domain.problems import ChangedReport
from curbside_ingestion.fhir_answers import expression, operation_outcome
from curbside_ingestion.handlers import GROUP_SIZE

pytestmark = pytest.mark.usefixtures("halves")

PATIENT = {"resourceType": "Patient", "id": "4711", "name": [{"family": "Katzenbach", "given": ["Wolfgang"]}]}


def report(id: str, words: str = "No pneumonia in the chest film.", **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "DiagnosticReport",
        "id": id,
        "status": "final",
        "code": {"text": "Chest film"},
        "subject": {"reference": "Patient/4711"},
        "conclusion": words,
        **more,
    }


class Client:
    def __init__(self, opened: TestPlatform, http: httpx2.AsyncClient) -> None:
        self.opened = opened
        self.http = http

    async def post(self, *resources: Mapping[str, Any], kind: str = "transaction") -> httpx2.Response:
        entries = [
            {"resource": one, "request": {"method": "POST", "url": one["resourceType"]}} for one in resources
        ]
        body = json.dumps({"resourceType": "Bundle", "type": kind, "entry": entries})
        headers = {"content-type": "application/fhir+json"}
        return await self.http.post("/ingestion/fhir", content=body, headers=headers)

    async def statuses(self, *resources: Mapping[str, Any], kind: str = "transaction") -> list[int]:
        answer = await self.post(*resources, kind=kind)
        assert answer.status_code == 200, answer.text
        assert answer.json()["type"] == f"{kind}-response"
        return [int(entry["response"]["status"][:3]) for entry in answer.json()["entry"]]

    async def create(self, resource: Mapping[str, Any]) -> httpx2.Response:
        path = f"/ingestion/fhir/{resource['resourceType']}"
        headers = {"content-type": "application/fhir+json"}
        return await self.http.post(path, content=json.dumps(resource), headers=headers)

    async def ledger(self) -> dict[str, Any]:
        ledger: dict[str, Any] = (await self.http.get("/ingestion/v1/ledger")).json()
        assert ledger["whole"]
        return ledger

    async def listed(self) -> list[dict[str, Any]]:
        reports: list[dict[str, Any]] = (
            await self.http.get("/ingestion/v1/reports", params={"limit": 500})
        ).json()["reports"]
        return reports


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    async with open_test_platform("ingestion", tmp_path) as opened:
        headers = await opened.headers(Role.ADMINISTRATOR)
        transport = httpx2.ASGITransport(app=opened.app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://test", headers=headers) as http:
            yield Client(opened, http)


def conflicts(answer: httpx2.Response) -> list[str]:
    assert answer.status_code == 409, answer.text
    outcome = answer.json()
    assert outcome["resourceType"] == "OperationOutcome"
    assert "Katzenbach" not in answer.text
    assert {issue["details"]["text"] for issue in outcome["issue"]} == {"report.changed"}
    return [place for issue in outcome["issue"] for place in issue["expression"]]


async def test_each_entry_of_a_transaction_is_answered_in_its_place(client: Client) -> None:
    assert await client.statuses(PATIENT, report("r1"), report("r2", "A small effusion.")) == [200, 202, 202]
    assert await client.statuses(report("r2", "A small effusion."), PATIENT, report("r3")) == [200, 200, 202]
    answer = await client.post(report("r1"), report("r3"))
    locations = [entry["response"]["location"] for entry in answer.json()["entry"]]
    ids = {shown["external_id"]: shown["report_id"] for shown in await client.listed()}
    assert [name.rpartition("/")[2] for name in locations] == [
        ids["DiagnosticReport/r1"],
        ids["DiagnosticReport/r3"],
    ]
    assert (await client.ledger())["received"] == 3


async def test_one_entry_that_contradicts_what_is_stored_keeps_the_whole_transaction_out(
    client: Client,
) -> None:
    await client.statuses(report("r1"))
    before = client.opened.stored(Zone.PHI)
    answer = await client.post(PATIENT, report("r2"), report("r1", "A nodule."), report("r3"))
    assert conflicts(answer) == ["Bundle.entry[2].resource.status"]
    assert (await client.ledger())["received"] == 1
    assert client.opened.stored(Zone.PHI) == before, "it is seen before anything is written"
    assert len(await client.opened.published(REPORTS_RECEIVED)) == 1
    # The same reports as a batch: each for itself.
    resources = PATIENT, report("r2"), report("r1", "A nodule."), report("r3")
    assert await client.statuses(*resources, kind="batch") == [200, 202, 409, 202]


async def test_entries_that_contradict_each_other_keep_the_transaction_out(client: Client) -> None:
    answer = await client.post(report("r1"), report("r2"), report("r1", "A nodule."))
    assert conflicts(answer) == ["Bundle.entry[2].resource.status"]
    assert (await client.ledger())["received"] == 0
    assert await client.statuses(report("r1"), report("r1")) == [202, 200], "a copy is no contradiction"


async def test_what_a_refused_transaction_would_have_superseded_stays(client: Client) -> None:
    await client.statuses(report("r1"), report("r2"))
    amended = report("r1", "A nodule after all.", status="amended")
    assert conflicts(await client.post(amended, report("r2", "Another film.")))
    assert await client.opened.published(REPORTS_DISPLACED) == []
    assert (await client.ledger())["states"]["pending"] == 2
    assert await client.statuses(amended, report("r3")) == [202, 202]
    assert len(await client.opened.published(REPORTS_DISPLACED)) == 1


async def test_a_transaction_larger_than_a_group_is_one_transaction_of_the_database(client: Client) -> None:
    await client.statuses(report("r0"))
    many = [report(f"r{number}") for number in range(1, GROUP_SIZE + 31)]
    assert conflicts(await client.post(*many, report("r0", "A nodule."))) == [
        f"Bundle.entry[{len(many)}].resource.status"
    ]
    assert (await client.ledger())["received"] == 1
    assert await client.statuses(*many) == [202] * len(many)
    moments = {shown["received_at"] for shown in await client.listed()} - {None}
    assert len(moments) == 2, "the first report's, and one for all of the transaction"


async def test_a_transaction_that_meets_a_contradiction_on_its_way_is_whole_or_nothing(
    client: Client,
) -> None:
    """One of them is judged while the other is being written: which comes first is chance, half is none."""
    for number in range(12):
        ids = [f"n{number}-{part}" for part in range(4)]
        answers = await asyncio.gather(
            client.post(*(report(id, "No nodule.") for id in ids)),
            client.create(report(ids[3], "A nodule.")),
            client.post(*(report(id, "An effusion.") for id in reversed(ids))),
        )
        there = {shown["external_id"] for shown in await client.listed()}
        found = [id for id in ids if f"DiagnosticReport/{id}" in there]
        won = [answer.status_code in (200, 202) for answer in answers]
        assert sum(won) == 1, [answer.text for answer in answers]
        assert {answer.status_code for answer in answers} <= {200, 202, 409, 503}
        assert found == ([ids[3]] if won[1] else ids)
    await client.ledger()


async def test_two_of_the_same_transaction_at_once_are_there_once(client: Client) -> None:
    resources = [report(f"r{number}") for number in range(5)]
    answers = await asyncio.gather(*(client.post(*resources) for _ in range(4)))
    retried = [await client.post(*resources) if answer.status_code == 503 else answer for answer in answers]
    assert {answer.status_code for answer in retried} == {200}
    assert (await client.ledger())["received"] == 5


@pytest.mark.parametrize("problem", [StorageFull("the disk is full"), TooBusy("many wait", retry_after=1)])
async def test_a_transaction_that_finds_no_room_is_taken_in_not_at_all(
    problem: StorageFull, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def no_space(*_: object, **__: object) -> None:
        raise problem

    monkeypatch.setattr(client.opened.platform.blobs, "put_many", no_space)
    answer = await client.post(*(report(f"r{number}") for number in range(GROUP_SIZE + 1)))
    assert answer.status_code == problem.status
    assert answer.json()["issue"][0]["details"]["text"] == problem.code
    assert answer.headers.get("retry-after") == ("1" if isinstance(problem, TooBusy) else None)
    monkeypatch.undo()
    assert (await client.ledger())["received"] == 0


async def test_an_entry_that_cannot_be_read_is_named_by_its_place_and_field(client: Client) -> None:
    broken = report("r2", effectiveDateTime="yesterday")
    answer = await client.post(PATIENT, report("r1"), broken, report("r3", presentedForm=[{"data": 7}]))
    assert answer.status_code == 422
    places = [place for issue in answer.json()["issue"] for place in issue["expression"]]
    assert places == [
        "Bundle.entry[2].resource.effectiveDateTime",
        "Bundle.entry[3].resource.presentedForm[0].data",
    ]
    assert (await client.ledger())["received"] == 0


async def test_a_report_that_is_created_again_is_where_it_was(client: Client) -> None:
    first = await client.create(report("r1"))
    again = await client.create(report("r1"))
    assert (first.status_code, again.status_code) == (202, 200)
    assert first.headers["location"] == again.headers["location"]
    assert (await client.create(report("r1", "A nodule."))).status_code == 409


@pytest.mark.parametrize(
    ("place", "field", "path"),
    [
        (
            "entry 4, DiagnosticReport",
            "DiagnosticReport.code.0.text",
            "Bundle.entry[3].resource.code[0].text",
        ),
        ("entry 1, entry 2, Binary", "data", "Bundle.entry[0].resource.entry[1].resource.data"),
        ("entry 2", "entry", "Bundle.entry[1]"),
        ("entry 2", "resource.resourceType", "Bundle.entry[1].resource.resourceType"),
        ("entry 2, Patient", "request.method", "Bundle.entry[1].request.method"),
        ("entry 2, Patient", "Patient", "Bundle.entry[1]"),
        ("DiagnosticReport", "conclusion", "DiagnosticReport.conclusion"),
        ("", "source", "source"),
        ("", "body", ""),
    ],
)
def test_a_place_is_said_as_fhirpath(place: str, field: str, path: str) -> None:
    assert expression(place, field) == path


def test_an_outcome_names_some_and_counts_the_rest() -> None:
    issues = operation_outcome([ChangedReport("another came", field="status")] * 33)["issue"]
    assert len(issues) == 21
    assert issues[-1]["diagnostics"] == "And 13 more."
