"""A patient's reports are announced in the order in which they were acknowledged, whoever posts meanwhile."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import pytest

from curbside.contracts.topics import REPORTS_RECEIVED
from curbside.identity.principal import Role
from curbside.storage.blobs import BlobRef
from curbside.testing.intake import papers
from curbside.testing.platform import TestPlatform, open_test_platform
from curbside_ingestion.waiting import store as extractions
from curbside_ingestion.waiting.queue import ExtractionQueue

pytestmark = pytest.mark.usefixtures("halves")

SENDERS = 24
OF_A_PATIENT = 8


class Client:
    def __init__(self, opened: TestPlatform, http: httpx2.AsyncClient) -> None:
        self.opened = opened
        self.http = http

    async def post(self, patient: str, number: int) -> str:
        """The id of a report of `patient`, in one of four shapes, once it is acknowledged."""
        id, words = f"{patient}-{number}", f"Film {number} of {patient} is clear."
        base = "/ingestion"
        match number % 4:
            case 0:
                body = {"external_id": id, "patient_id": patient, "text": words}
                answer = await self.http.post(f"{base}/v1/reports", json=body)
            case 1:
                answer = await self.http.post(
                    f"{base}/v1/reports:batch",
                    content=f'{{"external_id": "{id}", "patient_id": "{patient}", "text": "{words}"}}',
                    headers={"content-type": "application/x-ndjson"},
                )
            case 2:
                answer = await self.http.post(
                    f"{base}/hl7",
                    content=papers.hl7(id, patient, words),
                    headers={"content-type": "application/hl7-v2"},
                )
                assert b"MSA|AA|" in answer.content
                return ""
            case _:
                answer = await self.http.post(
                    f"{base}/fhir",
                    content=papers.fhir_bundle("transaction", [papers.fhir_report(id, patient, words)]),
                    headers={"content-type": "application/fhir+json"},
                )
                return str(answer.json()["entry"][0]["response"]["location"]).rpartition("/")[2]
        assert answer.status_code == 202, answer.text
        said = answer.json()
        return str(said["report_id"] if "report_id" in said else said["accepted"][0]["report_id"])

    async def document(self, patient: str, number: int) -> str:
        form = {"external_id": f"{patient}-{number}", "patient_id": patient}
        file = {"file": ("paper", papers.html(f"Film {number} of {patient}."))}
        answer = await self.http.post("/ingestion/v1/reports", files=file, data=form)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["report_id"])

    async def announced(self) -> dict[str, list[tuple[str, str]]]:
        """By patient, which their texts name, the ids and texts of reports in the order of their events."""
        found: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for event in await self.opened.published(REPORTS_RECEIVED):
            text = await self.opened.platform.blobs.get(BlobRef.from_message(event.payload.text))
            found[event.subject].append((event.payload.report_id, text.decode("utf-8", "replace")))
        return found

    @property
    def queue(self) -> ExtractionQueue:
        queue: ExtractionQueue = self.opened.service.tasks[0].__self__  # type: ignore[attr-defined]
        return queue

    async def claim(self, limit: int = 20) -> list[extractions.Extraction]:
        now = datetime.now(UTC)
        async with self.opened.platform.database.begin("extraction") as transaction:
            return await extractions.claim(
                transaction.session, now=now, until=now + timedelta(hours=1), limit=limit
            )


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    async with open_test_platform("ingestion", tmp_path) as opened:
        headers = await opened.headers(Role.ADMINISTRATOR)
        transport = httpx2.ASGITransport(app=opened.app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://test", headers=headers) as http:
            yield Client(opened, http)


async def test_reports_of_a_patient_posted_one_after_another_are_announced_in_that_order(
    client: Client,
) -> None:
    """So many senders that two groups are always written side by side."""
    rng = random.Random(5)
    posted: dict[str, list[int]] = {}

    async def send(patient: str) -> None:
        numbers = posted[patient] = rng.sample(range(100), OF_A_PATIENT)
        for number in numbers:
            await client.post(patient, number)

    await asyncio.gather(*(send(f"p{number:03}") for number in range(SENDERS)))
    announced = await client.announced()
    assert len(announced) == SENDERS
    for of_patient in announced.values():
        (patient,) = {text.partition(" of ")[2][:4] for _, text in of_patient}
        numbers = [int(text.partition("Film ")[2].partition(" of ")[0]) for _, text in of_patient]
        assert numbers == posted[patient]


async def test_documents_of_a_patient_become_texts_in_the_order_of_their_posts(client: Client) -> None:
    posted = [await client.document("p001", number) for number in range(3)]
    other = await client.document("p002", 0)
    assert [one.report_id for one in await client.claim()] == [posted[0], other], "the oldest of each"
    assert await client.claim() == [], "what stands behind one that is in hand waits"
    await _let_go(client, tried_less_than=2)
    while await client.queue.extract_some():
        continue
    announced = await client.announced()
    assert sorted([id for id, _ in reports] for reports in announced.values()) == sorted([posted, [other]])


async def test_a_document_that_was_tried_before_goes_alone(client: Client) -> None:
    first, second, third = [await client.document(f"p00{number}", 0) for number in range(3)]
    assert [one.report_id for one in await client.claim(limit=1)] == [first]
    await _let_go(client, tried_less_than=2)
    assert [one.report_id for one in await client.claim()] == [first], "what is beside it may be innocent"
    assert [one.report_id for one in await client.claim()] == [second, third]


async def test_a_document_in_hand_at_three_deaths_of_its_service_waits_until_its_lease_is_over(
    client: Client,
) -> None:
    if client.opened.platform.database.is_postgres:
        pytest.skip("there every claim is a lease to its end")
    await client.document("p000", 0)
    for attempt in (1, 2, 3):
        await _let_go(client, tried_less_than=3)
        assert [one.attempts for one in await client.claim()] == [attempt]
    await _let_go(client, tried_less_than=3)
    assert await client.claim() == []


async def _let_go(client: Client, *, tried_less_than: int) -> None:
    """As a service that has just started."""
    async with client.opened.platform.database.begin() as transaction:
        await extractions.unclaim(transaction.session, tried_less_than=tried_less_than)
