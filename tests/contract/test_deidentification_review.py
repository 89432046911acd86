"""A reviewer corrects spans on a real platform: revisions, collisions, what is released, and the corpus."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from alembic import command
from sqlalchemy import select

from curbside.contracts import codec
from curbside.contracts.codec import KnownIdentifiers, PhiDocument
from curbside.contracts.events import new_event
from curbside.contracts.topics import REPORTS_DEIDENTIFIED
from curbside.contracts.v1 import events_pb2
from curbside.identity.principal import Principal, Role
from curbside.phi import PhiText
from curbside.storage.blobs import BlobRef
from curbside.storage.migrate import alembic_config
from curbside.storage.zones import Zone
from curbside.testing.platform import TestPlatform, open_test_platform
from curbside_deidentification import handlers, regression, store
from curbside_deidentification.domain.lexicon import Lexicon
from curbside_deidentification.domain.policy import load_policy
from curbside_deidentification.domain.spans import Span
from curbside_deidentification.pipeline import Result, deidentify
from curbside_deidentification.pool import WorkerTimedOut
from curbside_deidentification.recognisers.completing import find_by_rule
from curbside_deidentification.replacements import Replacements
from curbside_deidentification.settings import DeidentificationSettings

pytestmark = pytest.mark.usefixtures("halves")

SUBJECT = "ab" * 32
RISKY = (
    "Dates 13/45/2020 and 77/88/1999 and 45/45/2001, says Dr. Quatremer. quatremer; Ilse Vandervoort agrees."
)
OPERATOR = Principal("token:op", "default", frozenset({Role.OPERATOR}))
AT = "/deidentification/v1/quarantine/r1"


class Rules:
    def find(self, text: str, lexicon: Lexicon) -> list[Span]:
        return [span for span in find_by_rule(text, lexicon) if text[span.start : span.end] == "Quatremer"]


async def found(document: PhiDocument, *, tenant: str, subject: str = "") -> Result:
    assert document.authored_at is None
    return deidentify(document, Rules(), load_policy())


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[TestPlatform]:
    async with open_test_platform("deidentification", tmp_path) as opened:
        await quarantine(opened, RISKY, "r1")
        yield opened


@pytest.fixture
async def client(opened: TestPlatform) -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(app=opened.app)
    async with httpx2.AsyncClient(
        transport=transport, base_url="http://test", headers=await opened.headers(Role.REVIEWER)
    ) as client:
        yield client


async def quarantine(opened: TestPlatform, text: str, report_id: str) -> None:
    platform = opened.platform
    document = codec.to_bytes(PhiDocument(PhiText(text), KnownIdentifiers(), PhiText("2023-04-12")))
    ref = await platform.blobs.put(Zone.PHI, document, tenant="default", subject=SUBJECT)
    payload = events_pb2.ReportReceived(report_id=report_id, text=ref.to_message())
    await handlers.deidentify_report(
        new_event(payload, tenant="default", subject=SUBJECT),
        database=platform.database,
        blobs=platform.blobs,
        replacements=Replacements(DeidentificationSettings(), blobs=platform.blobs, ring=platform.ring),
        deidentify=found,
        policy=load_policy().label,
    )


def span_of(words: str, **more: Any) -> dict[str, Any]:
    start = RISKY.index(words)
    return {"start": start, "end": start + len(words), **more}


def spans(shown: Any) -> dict[str, str]:
    return {span["mention"]: span["status"] for span in shown["spans"]}


async def test_a_span_is_shown_with_what_there_is_to_judge_it_by(client: httpx2.AsyncClient) -> None:
    shown = (await client.get(AT)).json()
    [span] = shown["spans"]
    start = RISKY.index("Quatremer")
    assert span == {
        "id": f"{start}-{start + 9}-NAME",
        "start": start,
        "end": start + 9,
        "category": "NAME",
        "recogniser": "TitledName",
        "score": span["score"],
        "before": RISKY[start - 40 : start],
        "mention": "Quatremer",
        "after": RISKY[start + 9 : start + 49],
        "status": "found",
        "reason": "",
    }
    assert shown["revision"] == 0
    assert (await client.get("/deidentification/v1/quarantine")).json()["reports"][0]["revision"] == 0


async def test_an_added_name_is_covered_everywhere_and_text_and_risk_follow(
    opened: TestPlatform, client: httpx2.AsyncClient
) -> None:
    before = (await client.get(AT)).json()
    added = span_of("13/45/2020", category="DATE", revision=0)
    shown = (await client.post(f"{AT}/spans", json=added)).json()
    assert shown["revision"] == 1
    assert shown["risk"] < before["risk"]
    named = span_of("quatremer", category="NAME", revision=1, reason="reviewer.lower-case")
    shown = (await client.post(f"{AT}/spans", json=named)).json()
    assert spans(shown) == {"13/45/2020": "added", "Quatremer": "found", "quatremer": "added"}
    assert shown["replaced"].startswith("Dates [DATE] and 77/88/1999")
    assert "Dr. [NAME]. [NAME];" in shown["replaced"]
    assert shown["spans_by_category"] == {"DATE": 1, "NAME": 2}
    assert (await client.get(AT)).json() == shown
    assert await opened.platform.database.verify_audit() == (5, None)


async def test_a_false_alarm_stands_in_the_text_again(client: httpx2.AsyncClient) -> None:
    [span] = (await client.get(AT)).json()["spans"]
    removed = (
        await client.post(f"{AT}/spans/{span['id']}/remove", json={"reason": "reviewer.drug", "revision": 0})
    ).json()
    assert (spans(removed), "Dr. Quatremer" in removed["replaced"]) == ({"Quatremer": "removed"}, True)
    accepted = (await client.post(f"{AT}/spans/{span['id']}/accept", json={"revision": 1})).json()
    assert (spans(accepted), "Dr. [NAME]" in accepted["replaced"]) == ({"Quatremer": "accepted"}, True)
    assert accepted["spans"][0]["score"] == span["score"]  # the recogniser's, as the reason it was found


async def test_two_reviewers_collide_with_a_sentence_and_a_repeated_request_does_not(
    client: httpx2.AsyncClient,
) -> None:
    body = span_of("Ilse Vandervoort", category="NAME", revision=0)
    first = await client.post(f"{AT}/spans", json=body)
    again = await client.post(f"{AT}/spans", json=body)
    assert again.json() == first.json()
    other = await client.post(f"{AT}/spans", json=span_of("13/45/2020", category="DATE", revision=0))
    assert (other.status_code, other.json()["code"]) == (409, "deid.reviewers-collide")
    assert other.json()["now"] == 1
    assert "Show it again" in other.json()["mend"]
    release = await client.post(f"{AT}/release", json={"revision": 0})
    assert (release.status_code, release.json()["code"]) == (409, "deid.reviewers-collide")


async def test_of_reviewers_at_once_one_is_heard_and_no_orphan_stays(
    opened: TestPlatform, client: httpx2.AsyncClient
) -> None:
    stored = len(opened.stored(Zone.PHI))
    bodies = [
        span_of(date, category="DATE", revision=0) for date in ("13/45/2020", "77/88/1999", "45/45/2001")
    ]
    answers = await asyncio.gather(*(client.post(f"{AT}/spans", json=body) for body in bodies))
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409]
    assert len(opened.stored(Zone.PHI)) == stored + 1


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"start": 0, "end": 10_000, "category": "NAME"}, 422, "deid.bad-span"),
        ({"start": 5, "end": 6, "category": "NAME"}, 422, "deid.bad-span"),
        ({"start": 6, "end": 6, "category": "NAME"}, 422, "deid.bad-span"),
        ({"start": 0, "end": 5, "category": "WARD"}, 422, "input.shape"),
        ({"start": 0, "end": 5, "category": "NAME", "reason": "Says Vandervoort"}, 422, "input.shape"),
        (span_of("Ilse Vandervoort", category="NAME", every_where=False), 422, "input.shape"),
        (span_of("Dr. Quatremer", category="NAME"), 409, "deid.span-overlaps"),
    ],
)
async def test_a_span_that_cannot_be_is_refused(
    client: httpx2.AsyncClient, body: dict[str, Any], status: int, code: str
) -> None:
    answer = await client.post(f"{AT}/spans", json={**body, "revision": 0})
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert "Vandervoort" not in answer.text
    assert answer.json()["mend"]
    assert (await client.get(AT)).json()["revision"] == 0


@pytest.mark.parametrize(("path", "status"), [("/spans/1-2-NAME/accept", 404), ("/spans/x/remove", 422)])
async def test_an_unknown_span_is_a_problem_of_the_caller(
    client: httpx2.AsyncClient, path: str, status: int
) -> None:
    assert (await client.post(AT + path, json={"revision": 0})).status_code == status


@pytest.mark.parametrize(
    ("act", "body"),
    [
        ("release", {"revison": 1}),
        ("reject", {"reason": "r", "completed": True}),
        ("spans/0-1-NAME/remove", {"because": "r"}),
    ],
)
async def test_an_act_with_a_field_that_nobody_reads_is_refused_and_names_it(
    client: httpx2.AsyncClient, act: str, body: dict[str, Any]
) -> None:
    answer = await client.post(f"{AT}/{act}", json={**body, "revision": 0})
    assert (answer.status_code, answer.json()["code"]) == (422, "input.shape")
    assert answer.json()["field"] in body
    assert (await client.get(AT)).json()["revision"] == 0


@pytest.mark.parametrize(
    ("act", "body"),
    [
        ("release", {}),
        ("reject", {"reason": "r"}),
        ("spans", {"start": 0, "end": 4, "category": "NAME"}),
        ("spans/0-1-NAME/accept", {}),
        ("spans/0-1-NAME/remove", {"reason": "reviewer.drug"}),
    ],
)
async def test_an_act_without_the_revision_that_was_shown_is_refused(
    client: httpx2.AsyncClient, act: str, body: dict[str, Any]
) -> None:
    answer = await client.post(f"{AT}/{act}", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "input.shape")
    assert answer.json()["field"] == "revision"
    assert (await client.get(AT)).json()["revision"] == 0


async def test_a_release_passes_on_exactly_what_was_reviewed(
    opened: TestPlatform, client: httpx2.AsyncClient
) -> None:
    for revision, (words, category) in enumerate(
        [("13/45/2020", "DATE"), ("77/88/1999", "DATE"), ("45/45/2001", "DATE"), ("Ilse Vandervoort", "NAME")]
    ):
        body = span_of(words, category=category, revision=revision)
        shown = (await client.post(f"{AT}/spans", json=body)).json()
    assert (await client.post(f"{AT}/release", json={"revision": 4})).is_success
    [released] = [event.payload for event in await opened.published(REPORTS_DEIDENTIFIED)]
    text = (await opened.platform.blobs.get(BlobRef.from_message(released.text))).decode()
    assert text == shown["replaced"]
    assert released.risk == shown["risk"]
    assert dict(released.spans_by_category) == {"DATE": 3, "NAME": 2}
    late = await client.post(f"{AT}/spans", json=span_of("quatremer", category="NAME", revision=4))
    assert (late.status_code, late.json()["code"]) == (409, "deid.not-quarantined")


NUMBER = "Ref 219-09-9999 of the lot, says Dr. Quatremer."
SIGN_AT = AT.replace("r1", "r3")
SIGN = {"start": 4, "end": 15, "category": "SSN", "revision": 0}


async def someone(opened: TestPlatform, name: str) -> dict[str, str]:
    token = await opened.tokens.issue(name, [Role.REVIEWER], tenant="default", actor="test")
    return {"authorization": f"Bearer {token}"}


async def released(
    client: httpx2.AsyncClient, revision: int, headers: dict[str, str]
) -> tuple[int, str, str]:
    answer = await client.post(f"{SIGN_AT}/release", json={"revision": revision}, headers=headers)
    body = answer.json()
    return answer.status_code, body.get("code", ""), body.get("mend", "")


async def test_what_identifies_by_itself_is_released_by_a_second_person_alone(
    opened: TestPlatform, client: httpx2.AsyncClient
) -> None:
    await quarantine(opened, NUMBER, "r3")
    ann, ben = await someone(opened, "A. Ann"), await someone(opened, "B. Ben")
    status, code, mend = await released(client, 0, ann)
    assert (status, code) == (409, "deid.sign-left")
    assert mend.startswith("Mark it as a span")
    await client.post(f"{SIGN_AT}/spans", json=SIGN, headers=ann)
    at = f"{SIGN_AT}/spans/4-15-SSN/remove"
    assert (await client.post(at, json={"revision": 1, "reason": "reviewer.lot"}, headers=ann)).is_success
    # Agreeing to a removal makes it nobody else's, nor does a correction elsewhere by another.
    assert (await client.post(at, json={"revision": 2}, headers=ben)).json()["revision"] == 2
    named = {"start": 37, "end": 46, "category": "NAME", "revision": 2}
    assert (await client.post(f"{SIGN_AT}/spans", json=named, headers=ben)).json()["revision"] == 3
    status, code, mend = await released(client, 3, ann)
    assert (status, code) == (409, "deid.sign-left")
    assert mend.startswith("Put the span back")
    assert (await released(client, 3, ben))[0] == 200
    acts = await audited(opened, "r3")
    refused = {"signs_left": {"social_security_number": 1}}
    assert [details for action, details in acts if action == "quarantine.release-refused"] == [
        refused | {"revision": 0},
        refused | {"revision": 3},
    ]
    [details] = [details for action, details in acts if action == "quarantine.released"]
    assert (details["signs_left"], details["removed_by"]) == (refused["signs_left"], ["token:A. Ann"])


async def test_a_sign_that_is_replaced_hinders_nobody(
    opened: TestPlatform, client: httpx2.AsyncClient
) -> None:
    await quarantine(opened, NUMBER, "r3")
    ann = await someone(opened, "A. Ann")
    await client.post(f"{SIGN_AT}/spans", json=SIGN, headers=ann)
    assert (await released(client, 1, ann))[0] == 200


@pytest.mark.parametrize(
    "left", ["J.ohd@example . org", "user_at_host@localhost", "360 555 0142", "532/41/7788"]
)
async def test_what_is_seen_of_an_address_or_a_number_needs_a_second_person(
    opened: TestPlatform, client: httpx2.AsyncClient, left: str
) -> None:
    await quarantine(opened, f"{RISKY} {left}", "r3")
    shown = (await client.get(SIGN_AT)).json()
    revision = 0
    for span in shown["spans"]:  # whatever was found of it, a reviewer calls a false alarm
        if span["start"] > len(RISKY):
            at = f"{SIGN_AT}/spans/{span['id']}/remove"
            revision = (await client.post(at, json={"revision": revision})).json()["revision"]
    assert (await client.get(SIGN_AT)).json()["replaced"].endswith(left)
    ann = await someone(opened, "A. Ann")
    status, code, mend = await released(client, revision, ann)
    if revision:
        assert status == 200  # another than the one who removed it
        return
    assert (status, code) == (409, "deid.sign-left")
    assert mend.startswith("Mark it as a span")


@pytest.mark.parametrize(
    ("role", "status"), [(Role.AUDITOR, 200), (Role.PRIVACY_OFFICER, 200), (Role.REVIEWER, 403)]
)
async def test_an_auditor_looks_up_who_did_what(
    opened: TestPlatform, client: httpx2.AsyncClient, role: Role, status: int
) -> None:
    await quarantine(opened, NUMBER, "r3")
    await client.post(f"{AT}/spans", json=span_of("Ilse Vandervoort", category="NAME", revision=0))
    at = "/deidentification/v1/audit"
    headers = await opened.headers(role)
    answer = await client.get(at, params={"target": "r1"}, headers=headers)
    assert answer.status_code == status
    if status != 200:
        return
    assert "Vandervoort" not in answer.text
    assert [(act["actor"], act["action"]) for act in answer.json()["acts"]] == [
        ("service:deidentification", "report.quarantined"),
        ("token:test", "quarantine.span-added"),
    ]
    first = (await client.get(at, params={"limit": 1}, headers=headers)).json()
    rest = (await client.get(at, params={"after": first["next"]}, headers=headers)).json()
    assert [len(first["acts"]), len(rest["acts"]), rest["next"]] == [1, 2, None]
    token = await opened.token(role, tenant="elsewhere")
    other = await client.get(at, headers={"authorization": f"Bearer {token}"})
    assert other.json() == {"acts": [], "next": None}


async def audited(opened: TestPlatform, target: str) -> list[tuple[str, dict[str, Any]]]:
    audit = store.METADATA.tables["audit"]
    async with opened.platform.database.read() as session:
        rows = await session.execute(select(audit).where(audit.c.target == target).order_by(audit.c.sequence))
        return [(row.action, row.details) for row in rows]


async def test_what_was_never_read_cannot_be_corrected(
    opened: TestPlatform, client: httpx2.AsyncClient
) -> None:
    await quarantine(
        opened, "El paciente acude a la consulta por dolor en el pecho desde hace dos días. " * 3, "r2"
    )
    at = AT.replace("r1", "r2")
    for act, body, mend in (
        ("spans", {"start": 3, "end": 11, "category": "NAME", "revision": 0}, "status 'amended'"),
        ("reject", {"reason": "r", "complete": True, "revision": 0}, "without 'complete'"),
    ):
        answer = await client.post(f"{at}/{act}", json=body)
        assert (answer.status_code, answer.json()["code"]) == (409, "deid.not-releasable")
        assert mend in answer.json()["mend"]


async def test_corrections_stand_in_no_row_and_no_audit_record(
    opened: TestPlatform, client: httpx2.AsyncClient
) -> None:
    await client.post(f"{AT}/spans", json=span_of("Ilse Vandervoort", category="NAME", revision=0))
    data = opened.platform.settings.data
    stored = b"".join(path.read_bytes() for path in data.rglob("*") if path.is_file())
    start = RISKY.index("Ilse")
    assert b"Vandervoort" not in stored
    assert f"{start}-{start + 16}".encode() not in stored
    async with opened.platform.database.read() as session:
        correction = await store.find_correction(session, "r1")
    assert correction.spans is not None
    assert (correction.revision, correction.spans.zone, correction.spans.subject) == (1, Zone.PHI, SUBJECT)


async def replayed(opened: TestPlatform, detect: Any = found, after: str = "") -> Any:
    return await regression.replay(
        OPERATOR,
        after,
        1,
        database=opened.platform.database,
        blobs=opened.platform.blobs,
        deidentify=detect,
        policy="p",
    )


async def test_reviewed_reports_are_the_corpus_and_a_detector_that_finds_less_is_worse(
    opened: TestPlatform, client: httpx2.AsyncClient
) -> None:
    assert await replayed(opened) == ([], None)
    await client.post(f"{AT}/spans", json=span_of("Ilse Vandervoort", category="NAME", revision=0))
    await client.post(f"{AT}/reject", json={"reason": "r", "revision": 1, "complete": True})
    [same], further = await replayed(opened)
    assert (same.report_id, same.worse, further) == ("r1", False, "r1")
    assert (same.now.found, same.now.missed, same.now.needless) == ({"NAME": 1}, {"NAME": 1}, 0)

    async def nothing(document: PhiDocument, *, tenant: str, subject: str = "") -> Result:
        return Result(PhiText(""), (), 0.0, None, "p")

    async def late(document: PhiDocument, *, tenant: str, subject: str = "") -> Result:
        raise WorkerTimedOut("x")

    [worse], _ = await replayed(opened, nothing)
    assert (worse.worse, worse.now.missed, worse.failed) == (True, {"NAME": 2}, None)
    [failed], _ = await replayed(opened, late)
    assert (failed.worse, failed.failed) == (True, "deid.timed-out")
    assert await replayed(opened, after="r1") == ([], None)


async def test_a_rejection_without_a_whole_review_joins_no_corpus(
    opened: TestPlatform, client: httpx2.AsyncClient
) -> None:
    await client.post(f"{AT}/spans", json=span_of("Ilse Vandervoort", category="NAME", revision=0))
    await client.post(f"{AT}/reject", json={"reason": "r", "revision": 1})
    assert await replayed(opened) == ([], None)


async def test_an_erased_patient_is_in_no_corpus(opened: TestPlatform, client: httpx2.AsyncClient) -> None:
    await client.post(f"{AT}/release", json={"revision": 0})
    assert len((await replayed(opened))[0]) == 1
    opened.platform.blobs._keys.erase(Zone.PHI, "default", SUBJECT)
    assert await replayed(opened) == ([], "r1")


@pytest.mark.parametrize(("role", "status"), [(Role.REVIEWER, 403), (Role.OPERATOR, 200)])
async def test_an_operator_replays_the_corpus(opened: TestPlatform, role: Role, status: int) -> None:
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app=opened.app),
        base_url="http://test",
        headers=await opened.headers(role),
    ) as client:
        answer = await client.post("/deidentification/v1/regression")
    assert answer.status_code == status
    if status == 200:
        assert answer.json() == {"policy": load_policy().label, "reports": [], "next": None}


async def test_the_migration_of_corrections_goes_both_ways(
    opened: TestPlatform, client: httpx2.AsyncClient
) -> None:
    await client.post(f"{AT}/spans", json=span_of("Ilse Vandervoort", category="NAME", revision=0))
    config = alembic_config("curbside_deidentification", opened.platform.database.url)
    await asyncio.to_thread(command.downgrade, config, "0002")
    await asyncio.to_thread(command.upgrade, config, "head")
    shown = (await client.get(AT)).json()
    assert (shown["revision"], spans(shown)) == (0, {"Quatremer": "found"})
