"""Turning something stored back: two people, one reading, an audit line for each step."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from curbside.contracts import codec
from curbside.contracts.codec import KnownIdentifiers, PhiDocument
from curbside.contracts.events import new_event
from curbside.contracts.topics import REPORTS_DEIDENTIFIED
from curbside.contracts.v1 import events_pb2
from curbside.identity.principal import Principal, Role
from curbside.phi import PhiText
from curbside.storage.blobs import BlobRef
from curbside.storage.zones import Zone
from curbside.testing.platform import TestPlatform, open_test_platform
from curbside_deidentification import handlers, reversal
from curbside_deidentification.domain.lexicon import Lexicon
from curbside_deidentification.domain.policy import load_policy
from curbside_deidentification.domain.spans import Span
from curbside_deidentification.pipeline import Result, deidentify
from curbside_deidentification.recognisers.completing import find_by_rule
from curbside_deidentification.replacements import Replacements
from curbside_deidentification.settings import DeidentificationSettings

pytestmark = pytest.mark.usefixtures("halves")

SUBJECT = "ab" * 32
TEXT = "Patient: Zephyrine Quatremer, MRN: 4456781. Seen 04/12/2023: 4 mm nodule."
KNOWN = KnownIdentifiers(names=(PhiText("Zephyrine Quatremer"),))
PATH = "/deidentification/v1/reversals"
ASK = {"kind": "report", "id": "r1", "reason": "safety.recall"}
AMY = Principal("token:amy", "default", frozenset({Role.PRIVACY_OFFICER}))
BEN = Principal("token:ben", "default", frozenset({Role.PRIVACY_OFFICER}))


class Rules:
    def find(self, text: str, lexicon: Lexicon) -> list[Span]:
        return list(find_by_rule(text, lexicon))


async def found(document: PhiDocument, *, tenant: str, subject: str = "") -> Result:
    return deidentify(document, Rules(), load_policy())


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[TestPlatform]:
    async with open_test_platform("deidentification", tmp_path) as opened:
        yield opened


@pytest.fixture
async def people(opened: TestPlatform) -> AsyncIterator[dict[str, httpx2.AsyncClient]]:
    """Two privacy officers, an administrator and a reviewer."""
    roles = {
        "amy": Role.PRIVACY_OFFICER,
        "ben": Role.PRIVACY_OFFICER,
        "root": Role.ADMINISTRATOR,
        "eve": Role.REVIEWER,
    }
    clients = {}
    for name, role in roles.items():
        token = await opened.tokens.issue(name, [role], tenant="default", actor="test")
        clients[name] = httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app=opened.app),
            base_url="http://test",
            headers={"authorization": f"Bearer {token}"},
        )
    yield clients
    for client in clients.values():
        await client.aclose()


def replacements(opened: TestPlatform, policy: str = "expert_determination") -> Replacements:
    settings = DeidentificationSettings.model_validate({"replacement": policy})
    return Replacements(settings, blobs=opened.platform.blobs, ring=opened.platform.ring)


async def handle(opened: TestPlatform, policy: str = "expert_determination") -> str:
    """The de-identified text of the report r1."""
    document = codec.to_bytes(PhiDocument(PhiText(TEXT), KNOWN, PhiText("2023-04-12")))
    ref = await opened.platform.blobs.put(Zone.PHI, document, tenant="default", subject=SUBJECT)
    payload = events_pb2.ReportReceived(report_id="r1", text=ref.to_message())
    await handlers.deidentify_report(
        new_event(payload, tenant="default", subject=SUBJECT),
        database=opened.platform.database,
        blobs=opened.platform.blobs,
        replacements=replacements(opened, policy),
        deidentify=found,
        policy=load_policy().label,
    )
    [event] = await opened.published(REPORTS_DEIDENTIFIED)
    assert isinstance(event.payload, events_pb2.ReportDeidentified)
    return (await opened.platform.blobs.get(BlobRef.from_message(event.payload.text))).decode()


async def opinion(opened: TestPlatform, answer: str) -> None:
    """The event of an opinion about r1, as inference publishes it; told twice."""
    data = json.dumps({"answer": answer, "evidence": []}).encode()
    output = await opened.platform.blobs.put(Zone.SAFE, data, tenant="default", subject=SUBJECT)
    event = new_event(
        events_pb2.OpinionGiven(opinion_id="o1", report_id="r1", output=output.to_message()),
        tenant="default",
        subject=SUBJECT,
    )
    await opened.deliver(event)
    await opened.deliver(event)


async def act(client: httpx2.AsyncClient, reversal_id: str, what: str) -> tuple[int, Any]:
    answer = await client.post(f"{PATH}/{reversal_id}/{what}")
    return answer.status_code, answer.json()


async def audited(opened: TestPlatform) -> list[tuple[str, str]]:
    async with opened.platform.database.read() as session:
        audit = opened.platform.database.metadata.tables["audit"]
        rows = (await session.execute(audit.select().order_by(audit.c.sequence))).all()
    return [(row.actor, row.action) for row in rows if row.action.startswith("reversal.")]


async def test_one_asks_another_agrees_and_the_first_reads_once(
    opened: TestPlatform, people: dict[str, httpx2.AsyncClient]
) -> None:
    assert "Quatremer" not in await handle(opened)
    amy, ben = people["amy"], people["ben"]
    asked = await amy.post(PATH, json=ASK)
    assert asked.status_code == 201
    name = asked.json()["reversal_id"]
    status, early = await act(amy, name, "read")
    assert (status, early["state"]) == (409, "requested")
    status, refused = await act(amy, name, "approve")
    assert (status, refused["code"]) == (403, "deid.same-person")
    assert "somebody else" in refused["mend"]
    status, approved = await act(ben, name, "approve")
    assert (status, approved["state"], approved["decided_by"]) == (200, "approved", "token:ben")
    assert (await act(ben, name, "read"))[1]["code"] == "deid.not-requester"
    answer = await amy.post(f"{PATH}/{name}/read")
    assert answer.json()["text"] == TEXT
    assert answer.headers["cache-control"] == "no-store"
    status, again = await act(amy, name, "read")
    assert (status, again["code"], again["state"]) == (409, "deid.reversal-over", "read")
    assert await audited(opened) == [
        ("token:amy", "reversal.requested"),
        ("token:amy", "reversal.own-approval-refused"),
        ("token:ben", "reversal.approved"),
        ("token:amy", "reversal.read"),
    ]
    assert (await opened.platform.database.verify_audit())[1] is None
    [listed] = (await ben.get(PATH)).json()["reversals"]
    assert (listed["reversal_id"], listed["state"], listed["reason"]) == (name, "read", "safety.recall")
    assert "Quatremer" not in json.dumps(listed)


async def test_an_opinion_is_turned_back_by_its_patients_mapping(
    opened: TestPlatform, people: dict[str, httpx2.AsyncClient]
) -> None:
    await opinion(opened, await handle(opened))
    name = (await people["amy"].post(PATH, json={**ASK, "kind": "opinion", "id": "o1"})).json()["reversal_id"]
    await act(people["ben"], name, "approve")
    assert (await act(people["amy"], name, "read"))[1]["text"] == TEXT


async def test_an_administrator_is_one_person(
    opened: TestPlatform, people: dict[str, httpx2.AsyncClient]
) -> None:
    await handle(opened)
    name = (await people["root"].post(PATH, json=ASK)).json()["reversal_id"]
    assert (await act(people["root"], name, "approve"))[1]["code"] == "deid.same-person"
    assert (await act(people["root"], name, "read"))[0] == 409
    assert (await act(people["ben"], name, "approve"))[0] == 200


async def test_a_declined_one_is_over(opened: TestPlatform, people: dict[str, httpx2.AsyncClient]) -> None:
    await handle(opened)
    for decliner, approved in (("ben", False), ("ben", True), ("amy", False)):
        name = (await people["amy"].post(PATH, json=ASK)).json()["reversal_id"]
        if approved:
            await act(people["ben"], name, "approve")
        assert (await act(people[decliner], name, "decline"))[1]["state"] == "declined"
        for client, what in (("ben", "approve"), ("amy", "read"), ("amy", "decline")):
            assert (await act(people[client], name, what))[1]["state"] == "declined"


@pytest.mark.parametrize("policy", ["placeholders", "safe_harbor"])
async def test_what_nothing_was_kept_of_cannot_be_turned_back(
    opened: TestPlatform, people: dict[str, httpx2.AsyncClient], policy: str
) -> None:
    await opinion(opened, await handle(opened, policy))
    refused = await people["amy"].post(PATH, json=ASK)
    assert (refused.status_code, refused.json()["code"]) == (409, "deid.not-reversible")
    assert "keeps nothing" in refused.json()["detail"]
    assert refused.json()["policy"] in refused.json()["detail"]
    about_opinion = await people["amy"].post(PATH, json={**ASK, "kind": "opinion", "id": "o1"})
    assert about_opinion.json()["code"] == "deid.not-reversible"
    assert await audited(opened) == []


async def test_what_was_erased_cannot_be_turned_back(
    opened: TestPlatform, people: dict[str, httpx2.AsyncClient]
) -> None:
    await handle(opened, "tags")
    opened.platform.blobs._keys.erase(Zone.PHI, "default", SUBJECT)
    assert (await people["amy"].post(PATH, json=ASK)).json()["code"] == "deid.not-reversible"


@pytest.mark.parametrize("approved", [False, True])
async def test_a_request_and_an_approval_expire(opened: TestPlatform, approved: bool) -> None:
    await handle(opened)
    database, chosen = opened.platform.database, replacements(opened)
    asked = await reversal.request_reversal(
        AMY,
        reversal.Kind.REPORT,
        "r1",
        "x",
        lifetime=timedelta(days=approved),
        database=database,
        replacements=chosen,
    )
    name = asked.reversal_id
    if approved:
        await reversal.approve_reversal(BEN, name, read_within=timedelta(0), database=database)
    with pytest.raises(reversal.ReversalOver) as over:
        if approved:
            await reversal.read_reversal(
                AMY, name, database=database, blobs=opened.platform.blobs, replacements=chosen
            )
        else:
            await reversal.approve_reversal(BEN, name, read_within=timedelta(1), database=database)
    assert over.value.extensions["state"] == "expired"


async def test_two_readings_at_once_are_one(
    opened: TestPlatform, people: dict[str, httpx2.AsyncClient]
) -> None:
    await handle(opened)
    name = (await people["amy"].post(PATH, json=ASK)).json()["reversal_id"]
    await act(people["ben"], name, "approve")
    answers = await asyncio.gather(*(act(people["amy"], name, "read") for _ in range(4)))
    assert sorted(status for status, _ in answers) == [200, 409, 409, 409]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({**ASK, "id": "nobody"}, 404),
        ({**ASK, "kind": "opinion", "id": "nobody"}, 404),
        ({**ASK, "reason": "Zephyrine asked"}, 422),
        ({**ASK, "kind": "patient"}, 422),
    ],
)
async def test_a_wrong_request_is_the_callers(
    people: dict[str, httpx2.AsyncClient], body: dict[str, str], status: int
) -> None:
    answer = await people["amy"].post(PATH, json=body)
    assert answer.status_code == status
    assert "Zephyrine" not in answer.text


async def test_a_stranger_and_a_reviewer_are_refused(
    opened: TestPlatform, people: dict[str, httpx2.AsyncClient]
) -> None:
    await handle(opened)
    assert (await people["eve"].post(PATH, json=ASK)).status_code == 403
    name = (await people["amy"].post(PATH, json=ASK)).json()["reversal_id"]
    stranger = Principal("token:ben", "elsewhere", BEN.roles)
    with pytest.raises(reversal.UnknownReversal):
        await reversal.approve_reversal(
            stranger, name, read_within=timedelta(1), database=opened.platform.database
        )
    assert await reversal.list_reversals(stranger, "", 50, database=opened.platform.database) == []
