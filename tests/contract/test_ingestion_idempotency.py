"""Idempotency-Key: what is sent again is not done again, and is answered as it was."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import func, select, update

from curbside.errors import CurbsideError, StorageFull, TooBusy
from curbside.identity.principal import Principal, Role
from curbside.testing.platform import TestPlatform, open_test_platform
from curbside_ingestion.idempotency.once import Answer, Asked, Once
from curbside_ingestion.idempotency.store import KEYS

pytestmark = pytest.mark.usefixtures("halves")

NAME = "Wolfgang Katzenbach"
BODY = {"text": f"{NAME} is well.", "external_id": "ACC-99871", "source": "ris"}


@dataclass
class Client:
    opened: TestPlatform
    http: httpx2.AsyncClient

    async def post(
        self, key: str | None, path: str = "v1/reports", media: str = "application/json", **body: Any
    ) -> httpx2.Response:
        """The body is `content`, or JSON of what is given."""
        content = body.pop("content", None) or json.dumps(body or BODY)
        headers: dict[str, Any] = {"content-type": media} | (
            {} if key is None else {"idempotency-key": key.encode()}
        )
        return await self.http.post(f"/ingestion/{path}", content=content, headers=headers)

    async def received(self) -> int:
        return int((await self.http.get("/ingestion/v1/ledger")).json()["received"])

    async def keys(self) -> int:
        async with self.opened.platform.database.read() as session:
            return (await session.execute(select(func.count()).select_from(KEYS))).scalar_one()

    def once(self, expiry: timedelta = timedelta(hours=1)) -> Once:
        """As another process of the service would have it."""
        return Once(self.opened.platform.database, self.opened.platform.ring, expiry)


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    async with open_test_platform("ingestion", tmp_path / "data") as opened:
        yield await connect(opened)


async def connect(opened: TestPlatform, tenant: str = "default", name: str = "test") -> Client:
    token = await opened.tokens.issue(name, [Role.STEWARD], tenant=tenant, actor="test")
    transport = httpx2.ASGITransport(app=opened.app)
    headers = {"authorization": f"Bearer {token}"}
    return Client(opened, httpx2.AsyncClient(transport=transport, base_url="http://test", headers=headers))


def asked(body: Any = BODY, key: str = "k") -> Asked:
    principal = Principal("token:test", "default", frozenset({Role.STEWARD}))
    content = json.dumps(body).encode()
    return Asked(key, principal, "POST", "/ingestion/v1/reports", "", "application/json", content)


def assert_problem(answer: httpx2.Response, status: int, code: str) -> None:
    assert answer.status_code == status, answer.text
    problem = answer.json()
    assert (problem["code"], problem["field"]) == (code, "Idempotency-Key")
    assert problem["mend"]
    assert NAME not in answer.text


async def test_what_is_sent_again_gets_the_first_answer_again(client: Client) -> None:
    first, again = await client.post('"k"'), await client.post("k")
    assert (first.status_code, "idempotency-replayed" in first.headers) == (202, False)
    assert (again.status_code, again.headers["idempotency-replayed"]) == (202, "true")
    assert again.content == first.content
    assert again.headers["content-type"] == first.headers["content-type"]
    assert await client.received() == 1


async def test_without_a_key_nothing_is_kept(client: Client) -> None:
    assert (await client.post(None)).status_code == 202
    assert (await client.post(None)).status_code == 409
    assert await client.keys() == 0


async def test_another_request_under_a_key_is_refused(client: Client) -> None:
    assert (await client.post("k")).status_code == 202
    assert_problem(await client.post("k", text="other"), 422, "idempotency.key-reused")
    assert_problem(await client.post("k", path="v1/reports:batch"), 422, "idempotency.key-reused")
    assert_problem(await client.post("k", path="v1/reports?a=b"), 422, "idempotency.key-reused")
    assert_problem(await client.post("k", media="text/plain"), 422, "idempotency.key-reused")
    assert await client.received() == 1


async def test_a_refusal_is_given_again_too(client: Client) -> None:
    first, again = await client.post("k", text=" "), await client.post("k", text=" ")
    assert (first.status_code, again.status_code) == (422, 422)
    assert again.content == first.content
    assert again.headers["content-type"] == "application/problem+json"
    assert again.headers["idempotency-replayed"] == "true"


async def test_batches_bundles_and_messages_have_keys_too(client: Client) -> None:
    lines = "\n".join(json.dumps({"text": f"{NAME} {n}", "id": f"ACC-{n}"}) for n in range(3))
    bundle = {
        "resourceType": "DiagnosticReport",
        "status": "final",
        "code": {"text": "Chest film"},
        "subject": {"reference": "Patient/4711"},
        "conclusion": "No pneumonia.",
    }
    message = (
        "MSH|^~\\&|RIS|N|CURBSIDE||20260301||ORU^R01^ORU_R01|1|P|2.5.1\rPID|1||4711^^^N^MR||Doe^Jane\r"
        "OBR|1||A1|18748-4^Film^LN|||20260301\rOBX|1|TX|18748-4^Film^LN||No pneumonia here.||||||F\r"
    )
    for path, media, content in (
        ("v1/reports:batch", "application/x-ndjson", lines),
        ("fhir/DiagnosticReport", "application/fhir+json", json.dumps(bundle)),
        ("hl7", "x-application/hl7-v2+er7", message),
    ):
        first = await client.post(path, path=path, media=media, content=content)
        again = await client.post(path, path=path, media=media, content=content)
        assert first.status_code in (200, 202), first.text
        assert (again.status_code, again.content) == (first.status_code, first.content)
        assert again.headers["idempotency-replayed"] == "true"
        assert again.headers.get("location") == first.headers.get("location")
    assert await client.received() == 5
    refused = await client.post("fhir/DiagnosticReport", path="fhir/DiagnosticReport", content="{}")
    assert refused.status_code == 422
    assert refused.json()["issue"][0]["details"]["text"] == "idempotency.key-reused"


async def test_a_form_is_read_after_its_key(client: Client) -> None:
    boundary = "x"
    form = (
        f'--{boundary}\r\ncontent-disposition: form-data; name="file"; filename="a.txt"\r\n\r\n'
        f"{NAME} is well.\r\n--{boundary}--\r\n"
    )
    media = f"multipart/form-data; boundary={boundary}"
    first, again = [await client.post("k", media=media, content=form) for _ in range(2)]
    assert first.status_code == 202, first.text
    assert again.content == first.content


async def test_keys_belong_to_whoever_sends_them(client: Client) -> None:
    other = await connect(client.opened, name="other")
    stranger = await connect(client.opened, tenant="elsewhere")
    assert (await client.post("k")).status_code == 202
    assert (await other.post("k")).status_code == 409  # the report is there; its key was free
    assert (await stranger.post("k", text="of another tenant")).status_code == 202


@pytest.mark.parametrize("key", ["", " ", '"', '"a', "a b", "a,b", '"ä"', "k" * 256])
async def test_a_key_that_is_none_is_refused(client: Client, key: str) -> None:
    assert_problem(await client.post(key), 400, "idempotency.bad-key")
    assert await client.received() == 0


async def test_two_keys_are_none(client: Client) -> None:
    headers = [("content-type", "application/json"), ("idempotency-key", "a"), ("idempotency-key", "b")]
    answer = await client.http.post("/ingestion/v1/reports", content=json.dumps(BODY), headers=headers)
    assert_problem(answer, 400, "idempotency.bad-key")


async def test_a_key_needs_a_token_like_any_request(client: Client) -> None:
    client.http.headers.pop("authorization")
    assert (await client.post("k")).status_code == 401
    assert await client.keys() == 0


async def test_while_the_first_has_no_answer_the_second_is_told_to_wait(client: Client) -> None:
    begun, goes_on = asyncio.Event(), asyncio.Event()

    async def act() -> Answer:
        begun.set()
        await goes_on.wait()
        return Answer(202, {}, b"first")

    once = client.once()
    first = asyncio.create_task(once(asked(), act))
    await begun.wait()
    with pytest.raises(CurbsideError) as refused:
        await once(asked(), act)
    assert (refused.value.code, refused.value.extensions["retry_after"]) == ("idempotency.in-hand", 1)
    goes_on.set()
    assert [answer for answer, _ in (await first, await once(asked(), act))] == [
        Answer(202, {}, b"first")
    ] * 2


async def test_of_many_at_once_one_is_done(client: Client) -> None:
    answers = await asyncio.gather(*(client.post("k") for _ in range(8)))
    done = [answer for answer in answers if answer.status_code == 202]
    waiting = [answer for answer in answers if answer.status_code != 202]
    assert len({answer.content for answer in done}) == 1
    for answer in waiting:
        assert_problem(answer, 409, "idempotency.in-hand")
        assert answer.headers["retry-after"] == "1"
    assert (await client.post("k")).content == done[0].content
    assert await client.received() == 1


@pytest.mark.parametrize(
    "problem", [TooBusy("busy", retry_after=1), StorageFull("full"), RuntimeError("broken")]
)
async def test_what_may_pass_is_tried_again_under_its_key(client: Client, problem: Exception) -> None:
    async def fails() -> Answer:
        raise problem

    async def busy() -> Answer:
        return Answer(429, {}, b"", final=False)

    async def succeeds() -> Answer:
        return Answer(202, {}, b"done")

    once = client.once()
    with pytest.raises(type(problem)):
        await once(asked(), fails)
    assert (await once(asked(), busy))[0].status == 429
    assert (await once(asked(), succeeds))[0].body == b"done"


async def test_a_kill_before_the_answer_is_noted_stores_nothing_twice(client: Client) -> None:
    """The reports are committed, the answer is not: whoever asks again is told that they are there."""
    committed = asyncio.Event()

    async def act() -> Answer:
        assert (await client.post(None)).status_code == 202
        committed.set()
        await asyncio.Event().wait()
        raise AssertionError

    killed = asyncio.create_task(client.once()(asked(), act))
    await committed.wait()
    killed.cancel()
    await asyncio.gather(killed, return_exceptions=True)
    assert await client.keys() == 1
    if client.opened.platform.database.is_postgres:  # it might go on in another pod
        assert_problem(await client.post("k"), 409, "idempotency.in-hand")
        async with client.opened.platform.database.begin() as transaction:
            past = datetime.now(UTC) - timedelta(seconds=1)
            await transaction.session.execute(update(KEYS).values(claimed_until=past))
    again, third = await client.post("k"), await client.post("k")
    assert (again.status_code, again.json()["code"]) == (409, "report.duplicate")
    assert third.content == again.content
    assert await client.received() == 1


async def test_a_key_is_forgotten_when_its_time_is_over(client: Client) -> None:
    async def act() -> Answer:
        return Answer(202, {}, b"")

    short = client.once(expiry=timedelta(microseconds=1))
    assert [(await short(asked(), act))[1] for _ in range(2)] == [False, False]
    await client.post("other")
    assert await client.keys() == 2
    assert await short.clean_some() == 1
    assert (await client.post("other")).headers["idempotency-replayed"] == "true"


async def test_nothing_of_request_key_or_answer_can_be_read_on_the_disk(
    client: Client, disks: Callable[[], Iterator[Path]]
) -> None:
    lines = "\n".join(json.dumps({"text": f"{NAME} {n}", "id": f"ACC-7788{n}"}) for n in range(3))
    batch = {"path": "v1/reports:batch", "media": "application/x-ndjson", "content": lines}
    answer = await client.post("KEY-ACC-4433", **batch)
    assert answer.json()["accepted"][0]["external_id"] == "ACC-77880"
    searched = 0
    for path in disks():
        try:
            data = path.read_bytes()
        except FileNotFoundError:  # a server tidies up meanwhile
            continue
        searched += len(data)
        for secret in (b"Katzenbach", b"ACC-7788", b"ACC-4433"):
            assert secret not in data, path
    assert searched > 1_000
