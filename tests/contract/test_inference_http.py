"""The gateway on a real platform, between a real engine's shapes and a real shield's answers."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import httpx2
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from grpc import aio
from inference_gateway import ADAPTER, ANSWER, REPORT, SAFE, WAIT, Gateway, adapter_tar, open_gateway
from inference_peers import NAME
from sqlalchemy import create_engine, select
from sqlalchemy.exc import OperationalError

from curbside.contracts.events import encode
from curbside.contracts.tasks import DEMONSTRATION_NOTICE, MAX_ANSWER_TOKENS, NOTICE, Task
from curbside.contracts.v1 import events_pb2, inference_pb2, inference_pb2_grpc
from curbside.errors import Unavailable
from curbside.identity.grpc import RightsInterceptor
from curbside.identity.principal import Principal, Role
from curbside.phi import SafeText
from curbside.runtime.host import listen
from curbside.settings import BadSetting, load
from curbside.storage.blobs import BlobRef
from curbside.storage.sqlite import sync_url
from curbside.storage.zones import Zone
from curbside.testing.platform import open_test_platform
from curbside_inference import store
from curbside_inference.domain.model import ModelInUse
from curbside_inference.domain.opinion import Answer
from curbside_inference.domain.problems import BadAdapter
from curbside_inference.handlers import conclude_opinion
from curbside_inference.preparation import Prepared
from curbside_inference.settings import InferenceSettings
from curbside_inference.store import METADATA

pytestmark = pytest.mark.usefixtures("halves")


@pytest.fixture
async def gateway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Gateway]:
    async with open_gateway(tmp_path / "data", monkeypatch) as opened:
        yield opened


def assert_problem(
    response: httpx2.Response, status: int, code: str, field: str | None = None
) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem = dict(response.json())
    assert (problem["code"], problem.get("field")) == (code, field)
    assert problem["mend"]
    assert NAME not in response.text
    return problem


async def test_an_opinion_comes_from_the_shielded_text_and_says_what_it_is(gateway: Gateway) -> None:
    opinion = await gateway.opinion("summarize")
    assert opinion.pop("opinion_id")
    assert opinion == {
        "task": "summarize",
        "answer": ANSWER,
        "truncated": False,
        "evidence": [{"text": (found := SAFE.split(". ")[0] + "."), "start": 0, "end": len(found)}],
        "model_version": "base",
        "notice": NOTICE,
        "demonstration_notice": DEMONSTRATION_NOTICE,
        "shielded_spans": 1,
        "input": SAFE,
    }
    (asked,) = gateway.engine.asked
    assert asked["model"] == "tgi"
    assert asked["max_tokens"] == MAX_ANSWER_TOKENS[Task.SUMMARIZE]
    assert asked["temperature"] == 0
    assert SAFE in asked["messages"][0]["content"]
    assert NAME not in json.dumps(asked)
    assert gateway.engine.keys == ["Bearer engine-key"]
    assert gateway.shield.tokens == ["Bearer the-service-token"]


@pytest.mark.parametrize("stream", [False, True])
async def test_an_asker_reads_the_true_name_and_everybody_else_the_surrogate(
    gateway: Gateway, stream: bool
) -> None:
    gateway.shield.surrogate = "Otto Hagen"
    gateway.engine.pieces = ["Otto", " Hagen has", " a 5 mm nodule."]
    answer = f"{NAME} has a 5 mm nodule."
    if stream:
        piece, (_, opinion) = await gateway.events()
        assert piece == ("message", {"text": answer})  # in one piece: the name lay in two of the engine's
    else:
        opinion = await gateway.opinion()
    assert opinion["answer"] == answer
    assert NAME not in opinion["input"]
    assert gateway.shield.restored == [opinion["opinion_id"]]
    assert set(gateway.shield.tokens) == {"Bearer the-service-token"}
    [event] = await gateway.given()
    assert isinstance(event.payload, events_pb2.OpinionGiven)
    kept = await gateway.opened.platform.blobs.get(BlobRef.from_message(event.payload.output))
    assert json.loads(kept)["answer"] == "Otto Hagen has a 5 mm nodule."
    assert NAME not in json.dumps(gateway.engine.asked)


async def test_grpc_turns_back_for_its_asker_too(gateway: Gateway) -> None:
    gateway.shield.surrogate = "Otto Hagen"
    gateway.engine.pieces = ["Otto", " Hagen is well."]
    metadata = tuple((await gateway.opened.headers(Role.HOSPITAL_SYSTEM)).items())
    request = inference_pb2.OpinionRequest(task="summarize", report=REPORT)
    async with grpc_stub(gateway) as stub:
        assert (await stub.GiveOpinion(request, metadata=metadata)).answer == f"{NAME} is well."
        piece, last = [chunk async for chunk in stub.StreamOpinion(request, metadata=metadata)]
    assert piece.text == last.final.answer == f"{NAME} is well."


@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_that_cannot_be_turned_back_is_not_given(gateway: Gateway, stream: bool) -> None:
    gateway.shield.surrogate, gateway.shield.restores_with = "Otto Hagen", grpc.StatusCode.UNAVAILABLE
    assert_problem(await gateway.ask(stream=stream), 503, "opinion.shield-unavailable")
    assert await gateway.given() == []


async def test_beside_a_stored_report_nothing_is_turned_back(gateway: Gateway) -> None:
    gateway.shield.surrogate = "Otto Hagen"
    gateway.engine.pieces = ["Otto Hagen has a new nodule."]
    report_id = await gateway.learn(SAFE)
    opinion = await gateway.opinion("compare", report=None, report_id=report_id, prior=REPORT)
    assert opinion["answer"] == "Otto Hagen has a new nodule."
    assert not gateway.shield.restored


async def test_a_stream_ends_with_the_whole_opinion(gateway: Gateway) -> None:
    *pieces, (name, opinion) = await gateway.events(task="diagnose")
    assert [event for event, _ in pieces] == ["message"] * 3
    assert "".join(data["text"] for _, data in pieces) == ANSWER
    assert name == "opinion"
    assert (opinion["answer"], opinion["input"]) == (ANSWER, SAFE)
    assert (opinion["notice"], opinion["demonstration_notice"]) == (NOTICE, DEMONSTRATION_NOTICE)
    assert gateway.engine.asked[0]["stream"] is True
    assert gateway.engine.keys == ["Bearer engine-key"]
    assert len(await gateway.given()) == 1


async def test_a_streams_head_has_the_notices_that_its_opinion_has(gateway: Gateway) -> None:
    head = (await gateway.ask(stream=True)).headers
    assert head["curbside-notice"] == NOTICE
    assert head["curbside-demonstration-notice"] == DEMONSTRATION_NOTICE
    await gateway.promote("m1", adapter_tar(), base_model="some-org/clinical-8b")
    head = (await gateway.ask(stream=True)).headers
    assert head["curbside-notice"] == NOTICE
    assert "curbside-demonstration-notice" not in head


async def test_a_line_end_of_unicode_breaks_no_event(gateway: Gateway) -> None:
    gateway.engine.pieces = ["A nodule\u2028", "in the\u2029left lobe"]
    *pieces, (name, opinion) = await gateway.events(report="A\u2028nodule in the\u2029left lobe\u0085.")
    assert "".join(data["text"] for _, data in pieces) == "A nodule\u2028in the\u2029left lobe"
    assert (name, opinion["answer"]) == ("opinion", "A nodule\u2028in the\u2029left lobe")


async def test_a_cut_answer_says_so(gateway: Gateway) -> None:
    gateway.engine.finish = "length"
    assert (await gateway.opinion())["truncated"] is True
    assert (await gateway.events())[-1][1]["truncated"] is True


async def test_an_opinion_is_recorded_with_its_texts_event_and_audit_and_without_phi(
    gateway: Gateway, caplog: pytest.LogCaptureFixture
) -> None:
    opinion = await gateway.opinion("anomalies")
    (event,) = await gateway.given()
    payload = event.payload
    assert isinstance(payload, events_pb2.OpinionGiven)
    assert (payload.opinion_id, payload.task) == (opinion["opinion_id"], "anomalies")
    assert (payload.model_version, payload.report_id) == ("base", "")
    platform = gateway.opened.platform
    shown = json.loads(await platform.blobs.get(BlobRef.from_message(payload.input)))
    output = json.loads(await platform.blobs.get(BlobRef.from_message(payload.output)))
    assert shown["input"] == SAFE
    assert (output["answer"], output["notice"]) == (ANSWER, NOTICE)
    assert payload.input.zone == payload.output.zone == "safe"
    assert payload.input.subject == event.subject
    audit = METADATA.tables["audit"]
    async with platform.database.read() as session:
        (record,) = (await session.execute(select(audit))).all()
    assert (record.actor, record.action, record.target) == (
        "token:test",
        "opinion.given",
        opinion["opinion_id"],
    )
    written = (encode(event), json.dumps(shown), json.dumps(output), str(record), caplog.text)
    assert not [place for place in written if "Katzenbach" in str(place)]


def prepared() -> Prepared:
    return Prepared(
        opinion_id=uuid.uuid4().hex,
        task=Task.SUMMARIZE,
        principal=Principal("token:test", "default", frozenset({Role.CLINICIAN})),
        subject="patient-1",
        report_id="",
        input=SafeText("A nodule.", rules=("test",)),
        messages=[],
        model=ModelInUse("base", "tgi", "embedded"),
        spans=0,
        started=time.perf_counter(),
    )


async def recorded(gateway: Gateway) -> tuple[int, int, int]:
    """Opinions, their events, and their blobs; each opinion's blobs can be read."""
    platform = gateway.opened.platform
    async with platform.database.read() as session:
        rows = (await session.execute(select(store.OPINIONS))).all()
    for row in rows:
        for ref in (row.input, row.output):
            assert await platform.blobs.get(BlobRef.from_json(ref))
    return len(rows), len(await gateway.given()), len(gateway.opened.stored(Zone.SAFE))


async def test_an_opinion_is_recorded_whole_whenever_its_asker_leaves(gateway: Gateway) -> None:
    platform = gateway.opened.platform

    def concluding() -> asyncio.Task[Any]:
        answer = Answer("A nodule.", whole=True)
        return asyncio.create_task(
            conclude_opinion(prepared(), answer, database=platform.database, blobs=platform.blobs)
        )

    await concluding()
    takes = float("inf")
    for _ in range(5):  # the quickest: one that waited for its turn would let every other end in time
        started = time.perf_counter()
        await concluding()
        takes = min(takes, time.perf_counter() - started)
    before, moments, left = 6, 40, 0
    for moment in range(moments):
        task = concluding()
        await asyncio.wait({task}, timeout=takes * 1.2 * moment / moments)
        while not task.done():  # as a server's cancel scope does it: until the task ends
            task.cancel()
            await asyncio.sleep(0)
        left += task.cancelled()
    assert left > 1
    opinions, events, blobs = await recorded(gateway)
    assert opinions == events == blobs / 2
    # One that was cancelled before it began has recorded nothing.
    assert before + moments - 3 <= opinions <= before + moments


async def test_blobs_go_where_the_commit_cannot_have_happened_and_stay_where_it_may(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform = gateway.opened.platform

    async def conclude() -> None:
        answer = Answer("A nodule.", whole=True)
        await conclude_opinion(prepared(), answer, database=platform.database, blobs=platform.blobs)

    async def refused(*_: Any, **__: Any) -> None:
        raise OperationalError("INSERT", {}, Exception("no such table"))

    with monkeypatch.context() as patch:
        patch.setattr(store, "add_opinion", refused)
        with pytest.raises(Unavailable):
            await conclude()
    assert await recorded(gateway) == (0, 0, 0)

    begin = platform.database.begin

    @contextlib.asynccontextmanager
    async def lost(*turns: str) -> AsyncIterator[Any]:
        async with begin(*turns) as transaction:
            yield transaction
        raise Unavailable("the connection was lost while the commit was under way")

    with monkeypatch.context() as patch:
        patch.setattr(platform.database, "begin", lost)
        with pytest.raises(Unavailable):
            await conclude()
    assert await recorded(gateway) == (1, 1, 2)


async def test_two_pasted_texts_are_two_subjects_and_both_texts_of_one_question_are_one(
    gateway: Gateway,
) -> None:
    await gateway.opinion("compare", prior=f"{NAME}: no nodule.")
    await gateway.opinion()
    first, again, second = gateway.shield.subjects
    assert first == again != second
    assert {event.subject for event in await gateway.given()} == {first, second}


async def test_a_comparison_shows_both_texts_and_may_rest_on_either(gateway: Gateway) -> None:
    gateway.engine.pieces = ["New nodule in the left upper lobe; emphysema as before."]
    opinion = await gateway.opinion("compare", prior=f"{NAME}: severe emphysema.  ")
    assert opinion["input"] == f"{SAFE}\n\nPrior report:\n[NAME]: severe emphysema."
    assert opinion["input"] in gateway.engine.asked[0]["messages"][0]["content"]
    assert opinion["shielded_spans"] == 2
    for piece in opinion["evidence"]:
        assert opinion["input"][piece["start"] : piece["end"]] == piece["text"]


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({"task": "prophesy"}, "opinion.unknown-task", "task"),
        ({"task": "compare"}, "opinion.bad-question", "prior"),
        ({"task": "diagnose", "prior": "x"}, "opinion.bad-question", "prior"),
        ({"task": "diagnose", "prior_report_id": "r1"}, "opinion.bad-question", "prior"),
        ({"report": None}, "opinion.bad-question", "report"),
        ({"report": " \n "}, "opinion.bad-question", "report"),
        ({"report": "a\ud800"}, "opinion.bad-question", "report"),
        ({"report": "a\0b"}, "opinion.bad-question", "report"),
        ({"task": "compare", "prior": "a\0b"}, "opinion.bad-question", "prior"),
        ({"report_id": "r1"}, "opinion.bad-question", "report"),
        ({"report": None, "report_id": "../r1"}, "opinion.bad-question", "report_id"),
        ({"reprot": REPORT}, "input.shape", "reprot"),
        ({"report": 7}, "input.shape", "report"),
    ],
    ids=range(13),
)
async def test_a_bad_question_names_the_field_and_the_mend(
    gateway: Gateway, body: dict[str, Any], code: str, field: str
) -> None:
    content = json.dumps({"task": "summarize", "report": REPORT, **body})
    response = await gateway.http.post(
        "/inference/v1/opinions", content=content, headers={"content-type": "application/json"}
    )
    assert_problem(response, 422, code, field)
    assert not gateway.engine.asked


@pytest.mark.parametrize("content", [b"{", b'{"task": "summarize", "report": "cut o', b"\xff\xfe", b""])
async def test_a_body_that_is_no_json_is_named_with_the_mend(gateway: Gateway, content: bytes) -> None:
    response = await gateway.http.post(
        "/inference/v1/opinions", content=content, headers={"content-type": "application/json"}
    )
    problem = assert_problem(response, 422, "input.shape", "body")
    assert "JSON" in problem["mend"] or "/docs" in problem["mend"]


async def test_too_long_a_text_is_refused_before_anything_reads_it(gateway: Gateway) -> None:
    problem = assert_problem(await gateway.ask(report="x" * 200_001), 413, "opinion.too-long", "report")
    assert (problem["limit"], problem["unit"]) == (200_000, "characters")
    assert not gateway.shield.subjects


@pytest.mark.parametrize("stream", [False, True])
async def test_what_the_shield_is_unsure_of_no_model_sees(gateway: Gateway, stream: bool) -> None:
    gateway.shield.quarantine = "deid.language"
    problem = assert_problem(await gateway.ask(stream=stream), 422, "opinion.withheld", "report")
    assert problem["reason"] == "deid.language"
    assert "English" in problem["mend"]
    assert not gateway.engine.asked
    assert not await gateway.given()


@pytest.mark.parametrize(
    "status",
    [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INTERNAL, grpc.StatusCode.UNAUTHENTICATED],
)
async def test_without_the_shield_no_model_sees_anything(
    gateway: Gateway, status: grpc.StatusCode, caplog: pytest.LogCaptureFixture
) -> None:
    gateway.shield.fails_with = status
    assert_problem(await gateway.ask(), 503, "opinion.shield-unavailable")
    assert not gateway.engine.asked
    assert "Katzenbach" not in caplog.text


async def test_a_missing_service_token_is_said_to_the_operator(gateway: Gateway) -> None:
    gateway.opened.platform.settings.service_token_path.unlink()
    problem = assert_problem(await gateway.ask(), 503, "opinion.shield-unavailable")
    assert "CURBSIDE_RUNTIME__SERVICE_TOKEN_FILE" in problem["mend"]


TOO_LONG = (
    "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5000 `inputs` …"
)
VLLM_TOO_LONG = {
    "error": {
        "message": f"This model's maximum context length is 4096 tokens. However, you sent {REPORT!r}",
        "type": "BadRequestError",
        "code": 400,
    }
}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("refusal", "status", "code", "field"),
    [
        ((422, {"error": TOO_LONG, "error_type": "validation"}), 413, "opinion.too-long", "report"),
        ((400, VLLM_TOO_LONG), 413, "opinion.too-long", "report"),
        ((429, {"error": "Model is overloaded", "error_type": "overloaded"}), 503, "engine.overloaded", None),
        ((404, {"error": "x", "error_type": "model_not_found"}), 404, "opinion.unknown-model", "model"),
        ((424, {"error": REPORT, "error_type": "generation"}), 502, "engine.failed", None),
        ((503, {"error": "unhealthy", "error_type": "healthcheck"}), 503, "engine.unavailable", None),
        ((401, None), 503, "engine.unavailable", None),
        ((500, None), 502, "engine.failed", None),
    ],
    ids=["too-long", "too-long-vllm", "overloaded", "unknown", "generation", "loading", "key", "bare"],
)
async def test_what_an_engine_refuses_is_said_in_our_words(
    gateway: Gateway, refusal: Any, status: int, code: str, field: str | None, stream: bool
) -> None:
    gateway.engine.refusal = refusal
    response = await gateway.ask(stream=stream)
    problem = assert_problem(response, status, code, field)
    if code == "engine.overloaded":
        assert response.headers["retry-after"] == str(problem["retry_after"])
    if code == "opinion.too-long":
        assert problem["limit"] == 4096
    assert not await gateway.given()


@pytest.mark.parametrize("stream", [False, True])
async def test_an_engine_that_is_not_there_is_named_with_its_mend(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, stream: bool
) -> None:
    with contextlib.closing(listen("127.0.0.1", 0, "port")) as listener:
        free = listener.getsockname()[1]
    monkeypatch.setenv("CURBSIDE_INFERENCE__ENGINE_URL", f"http://127.0.0.1:{free}")
    async with open_test_platform("inference", tmp_path / "other") as opened:
        token = opened.platform.settings.service_token_path
        token.parent.mkdir(parents=True, exist_ok=True)
        token.write_text("t")
        headers = await opened.headers(Role.CLINICIAN)
        transport = httpx2.ASGITransport(app=opened.app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://t", headers=headers) as http:
            body = {"task": "summarize", "report": REPORT, "stream": stream}
            response = await http.post("/inference/v1/opinions", json=body)
            problem = assert_problem(response, 503, "engine.unavailable")
            ready = await http.get("/readyz")
    assert "curbside serve engine" in problem["mend"]
    assert "CURBSIDE_INFERENCE__ENGINE_URL" in problem["mend"]
    assert ready.status_code == 503
    assert "does not answer" in ready.json()["services"]["inference"]["engine"]


async def test_a_stream_that_breaks_off_ends_with_a_problem(gateway: Gateway) -> None:
    gateway.engine.breaks_with = {"error": f"Request failed: {REPORT}", "error_type": "generation"}
    (_, piece), (name, problem) = await gateway.events()
    assert piece["text"] == "A 5 mm nodule"
    assert (name, problem["code"]) == ("problem", "engine.failed")
    assert NAME not in json.dumps(problem)
    gateway.engine.breaks_with = {"error": "Model is overloaded", "error_type": "overloaded"}
    assert (await gateway.events())[-1][1]["code"] == "engine.overloaded"
    gateway.engine.breaks_with, gateway.engine.ends_early = None, True
    assert (await gateway.events())[-1][1]["code"] == "engine.failed"
    assert not await gateway.given()


async def test_who_leaves_a_stream_closes_the_engines(gateway: Gateway) -> None:
    gateway.engine.hold = asyncio.Event()
    body = {"task": "summarize", "report": REPORT, "stream": True}
    async with gateway.http.stream("POST", "/inference/v1/opinions", json=body) as response:
        assert "A 5 mm nodule" in await anext(response.aiter_text())
    await asyncio.wait_for(gateway.engine.left.wait(), WAIT)
    assert not await gateway.given()


async def test_who_leaves_before_the_answer_frees_the_engine_and_the_seat(gateway: Gateway) -> None:
    gateway.engine.hold = asyncio.Event()
    asking = [asyncio.create_task(gateway.ask()) for _ in range(2)]
    await asyncio.wait_for(gateway.engine.waiting.wait(), WAIT)
    while len(gateway.engine.asked) < 2:
        await asyncio.sleep(0)
    third = await gateway.ask()
    assert_problem(third, 429, "opinion.too-many")
    assert third.headers["retry-after"]
    for task in asking:
        task.cancel()
    await asyncio.wait_for(gateway.engine.left.wait(), WAIT)
    gateway.engine.hold.set()

    async def until_seated() -> httpx2.Response:
        while (response := await gateway.ask()).status_code == 429:
            continue
        return response

    assert (await asyncio.wait_for(until_seated(), WAIT)).status_code == 200


async def test_a_stored_report_is_asked_about_by_its_id(gateway: Gateway) -> None:
    report_id = await gateway.learn("FINDINGS: a nodule in the left upper lobe.")
    opinion = await gateway.opinion(report=None, report_id=report_id)
    assert opinion["input"] == "FINDINGS: a nodule in the left upper lobe."
    assert opinion["shielded_spans"] == 3
    assert not gateway.shield.subjects  # it was de-identified when it came in
    (event,) = await gateway.given()
    assert event.subject == "patient-1"
    assert event.payload.report_id == report_id  # type: ignore[attr-defined]
    compared = await gateway.opinion("compare", report=REPORT, prior_report_id=report_id)
    assert compared["input"].endswith("Prior report:\nFINDINGS: a nodule in the left upper lobe.")
    assert gateway.shield.subjects == ["patient-1"]  # dates of the pasted text move as the stored ones did


async def test_stored_reports_of_two_patients_are_not_compared(gateway: Gateway) -> None:
    await gateway.learn("A nodule.", "r1", "patient-1")
    await gateway.learn("No nodule.", "r2", "patient-2")
    await gateway.learn("No nodule.", "r3", "patient-1")
    refused = await gateway.ask("compare", report=None, report_id="r1", prior_report_id="r2")
    assert_problem(refused, 422, "opinion.bad-question", "prior_report_id")
    assert not gateway.engine.asked
    compared = await gateway.opinion("compare", report=None, report_id="r1", prior_report_id="r3")
    assert compared["input"] == "A nodule.\n\nPrior report:\nNo nodule."


async def test_a_report_that_is_not_there_or_not_ones_own_or_retracted_is_unknown(gateway: Gateway) -> None:
    unknown = await gateway.ask(report=None, report_id="r1")
    assert_problem(unknown, 404, "opinion.unknown-report", "report_id")
    await gateway.learn("A nodule.")
    prior = await gateway.ask("compare", prior_report_id="r2")
    assert_problem(prior, 404, "opinion.unknown-report", "prior_report_id")
    other = await gateway.opened.token(Role.CLINICIAN, tenant="other")
    body = {"task": "summarize", "report_id": "r1"}
    response = await gateway.http.post(
        "/inference/v1/opinions", json=body, headers={"authorization": f"Bearer {other}"}
    )
    assert_problem(response, 404, "opinion.unknown-report", "report_id")
    await gateway.learn("A nodule.", status=events_pb2.REPORT_STATUS_ENTERED_IN_ERROR)
    assert_problem(await gateway.ask(report=None, report_id="r1"), 404, "opinion.unknown-report", "report_id")


@pytest.mark.parametrize("state", ["superseded", "withdrawn"])
async def test_no_opinion_is_given_of_a_displaced_report_whichever_event_comes_first(
    gateway: Gateway, state: str
) -> None:
    await gateway.learn("A nodule.", "r1")
    await gateway.displace("r1", state)
    await gateway.displace("r2", state)
    await gateway.learn("A nodule.", "r2")
    for report_id in ("r1", "r2"):
        refused = await gateway.ask(report=None, report_id=report_id)
        problem = assert_problem(refused, 410, "opinion.displaced-report", "report_id")
        assert (problem["state"], problem["displaced_by"]) == (state, "r9")
    await gateway.displace("r1", "withdrawn")
    await gateway.displace("r1", "superseded")
    withdrawn = assert_problem(
        await gateway.ask(report=None, report_id="r1"), 410, "opinion.displaced-report", "report_id"
    )
    assert withdrawn["state"] == "withdrawn"
    await gateway.learn("A nodule.", "r9")
    assert (await gateway.opinion(report=None, report_id="r9"))["input"] == "A nodule."
    assert not gateway.engine.asked[1:]


async def test_a_promoted_model_answers_once_its_adapter_is_in_place(gateway: Gateway) -> None:
    before = (await gateway.http.get("/inference/v1/model")).json()
    assert (before["model_version"], before["embedded"]) == ("base", True)
    event = await gateway.promote("m-2026.1", adapter_tar())
    await gateway.opened.deliver(event)  # twice is once
    place = gateway.opened.platform.settings.data / "adapters" / "m-2026.1"
    assert sorted(path.name for path in place.iterdir()) == [
        "adapter_config.json",
        "adapter_model.safetensors",
    ]
    assert [path.name for path in place.parent.iterdir()] == ["m-2026.1"]
    after = (await gateway.http.get("/inference/v1/model")).json()
    assert after == {
        "model_version": "m-2026.1",
        "base_model": "embedded",
        "embedded": True,
        "notice": NOTICE,
        "demonstration_notice": DEMONSTRATION_NOTICE,
    }
    assert (await gateway.opinion())["model_version"] == "m-2026.1"
    assert (await gateway.opinion(model="base"))["model_version"] == "base"
    assert (await gateway.opinion(model="m-2025"))["model_version"] == "m-2025"
    assert [asked["model"] for asked in gateway.engine.asked] == ["m-2026.1", "tgi", "m-2025"]


async def test_only_what_the_engine_serves_answers_and_what_waits_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CURBSIDE_INFERENCE__ENGINE_ADAPTERS", '["m1"]')
    async with open_gateway(tmp_path / "data", monkeypatch) as gateway:

        async def answers() -> tuple[str, str | None]:
            told = await gateway.model()
            opinion = await gateway.opinion()
            last = gateway.engine.asked[-1]["model"]
            assert told["model_version"] == opinion["model_version"] == {"tgi": "base"}.get(last, last)
            waiting = told.get("waiting_version")
            assert ("mend" in told) == (waiting is not None)
            if waiting is not None:
                assert repr(waiting) in told["mend"]
                assert "CURBSIDE_INFERENCE__ENGINE_ADAPTERS" in told["mend"]
                assert_problem(await gateway.ask(model=waiting), 404, "opinion.unknown-model", "model")
            return opinion["model_version"], waiting

        assert await answers() == ("base", None)
        await gateway.promote("m0", adapter_tar())
        assert await answers() == ("base", "m0")
        await gateway.promote("m1", adapter_tar())
        assert await answers() == ("m1", None)
        for version in ("m2", "m3"):
            await gateway.promote(version, adapter_tar())
            assert await answers() == ("m1", version)
        assert (await gateway.opinion(model="base"))["model_version"] == "base"
        # It is placed all the same: the engine finds it when it starts anew.
        assert (gateway.opened.platform.settings.data / "adapters" / "m3" / "adapter_config.json").is_file()
        # What answers is what answered before, so the gateway is as ready as it was.
        assert (await gateway.http.get("/readyz")).status_code == 200
    monkeypatch.setenv("CURBSIDE_INFERENCE__ENGINE_ADAPTERS", '["m1", "m3"]')
    async with open_gateway(tmp_path / "data", monkeypatch) as gateway:
        assert await answers() == ("m3", None)
        await gateway.promote("m4", adapter_tar())
        assert await answers() == ("m3", "m4")
        await gateway.promote("m1", adapter_tar())  # rolled back
        assert await answers() == ("m1", None)
    monkeypatch.setenv("CURBSIDE_INFERENCE__ENGINE_ADAPTERS", "[]")
    async with open_gateway(tmp_path / "data", monkeypatch) as gateway:
        assert await answers() == ("base", "m1")


@pytest.mark.parametrize("value", ["m1,m2", '["../m1"]', "[1]", "{}", ""])
def test_a_list_of_adapters_that_cannot_be_read_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("CURBSIDE_INFERENCE__ENGINE_ADAPTERS", value)
    with pytest.raises(BadSetting, match=r"CURBSIDE_INFERENCE__ENGINE_ADAPTERS: .* JSON list"):
        load(InferenceSettings)


async def test_the_bases_names_are_the_base_and_no_versions(gateway: Gateway) -> None:
    await gateway.promote("m1", adapter_tar())
    for name in ("base", "tgi", "embedded"):
        assert (await gateway.opinion(model=name))["model_version"] == "base"
        with pytest.raises(BadAdapter):
            await gateway.promote(name, adapter_tar())
    assert [asked["model"] for asked in gateway.engine.asked] == ["tgi"] * 3
    assert (await gateway.model())["model_version"] == "m1"


async def test_only_the_embedded_model_says_that_it_demonstrates(gateway: Gateway) -> None:
    await gateway.promote("m1", adapter_tar(), base_model="some-org/clinical-8b")
    assert (await gateway.http.get("/inference/v1/model")).json() == {
        "model_version": "m1",
        "base_model": "some-org/clinical-8b",
        "embedded": False,
        "notice": NOTICE,
    }
    for opinion in (await gateway.opinion(), (await gateway.events())[-1][1]):
        assert opinion["notice"] == NOTICE
        assert "demonstration_notice" not in opinion


async def test_a_bad_adapter_changes_nothing(gateway: Gateway) -> None:
    await gateway.promote("good", adapter_tar())
    with pytest.raises(BadAdapter):
        await gateway.promote("bad", adapter_tar({**ADAPTER, "../../escaped": b"x"}))
    with pytest.raises(BadAdapter):
        await gateway.promote("../bad", adapter_tar())
    data = gateway.opened.platform.settings.data
    assert not list(data.parent.rglob("escaped"))
    assert [path.name for path in (data / "adapters").iterdir()] == ["good"]
    assert (await gateway.http.get("/inference/v1/model")).json()["model_version"] == "good"


async def test_readiness_asks_the_engine_and_the_shield(gateway: Gateway) -> None:
    assert (await gateway.http.get("/readyz")).status_code == 200
    gateway.engine.loaded = False
    ready = await gateway.http.get("/readyz")
    assert ready.status_code == 503
    checks = ready.json()["services"]["inference"]
    assert "still loading" in checks["engine"]
    assert checks["shield"] == "ok"


async def test_rights_are_asked_for(gateway: Gateway) -> None:
    for role, status in ((Role.TRAINER, 403), (Role.HOSPITAL_SYSTEM, 200)):
        gateway.http.headers.update(await gateway.opened.headers(role))
        assert (await gateway.ask()).status_code == status
        assert (await gateway.http.get("/inference/v1/model")).status_code == status
    del gateway.http.headers["authorization"]
    assert (await gateway.ask()).status_code == 401


@contextlib.asynccontextmanager
async def grpc_stub(gateway: Gateway) -> AsyncIterator[Any]:
    (binding,) = gateway.opened.service.grpc
    server = aio.server(interceptors=[RightsInterceptor(gateway.opened.tokens, binding.scopes, frozenset())])
    binding.add(binding.servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield inference_pb2_grpc.InferenceStub(channel)
    await server.stop(None)


async def test_grpc_gives_the_same_opinion_and_carries_both_notices(gateway: Gateway) -> None:
    metadata = tuple((await gateway.opened.headers(Role.HOSPITAL_SYSTEM)).items())
    request = inference_pb2.OpinionRequest(task="summarize", report=REPORT)
    async with grpc_stub(gateway) as stub:
        opinion = await stub.GiveOpinion(request, metadata=metadata)
        assert (opinion.answer, opinion.model_version, opinion.shielded_spans) == (ANSWER, "base", 1)
        assert opinion.notice == f"{NOTICE} {DEMONSTRATION_NOTICE}"
        assert [SAFE[piece.start : piece.end] for piece in opinion.evidence] == [
            piece.text for piece in opinion.evidence
        ]
        assert (opinion.truncated, opinion.input) == (False, SAFE)
        call = stub.StreamOpinion(request, metadata=metadata)
        head = dict(await call.initial_metadata())
        assert head["curbside-notice"] == NOTICE
        assert head["curbside-demonstration-notice"] == DEMONSTRATION_NOTICE
        *pieces, last = [chunk async for chunk in call]
        assert "".join(chunk.text for chunk in pieces) == ANSWER == last.final.answer
        assert (last.final.notice, last.final.input) == (opinion.notice, SAFE)
        assert not any(chunk.HasField("final") for chunk in pieces)
        for call, status in (
            (stub.GiveOpinion(request), grpc.StatusCode.UNAUTHENTICATED),
            (
                stub.GiveOpinion(
                    inference_pb2.OpinionRequest(task="compare", report=REPORT), metadata=metadata
                ),
                grpc.StatusCode.INVALID_ARGUMENT,
            ),
        ):
            with pytest.raises(aio.AioRpcError) as refused:
                await call
            assert refused.value.code() is status
    assert len(await gateway.given()) == 2


async def test_grpc_asks_the_version_that_is_named_and_says_what_was_cut(gateway: Gateway) -> None:
    await gateway.promote("m1", adapter_tar(), base_model="some-org/clinical-8b")
    gateway.engine.finish = "length"
    metadata = tuple((await gateway.opened.headers(Role.HOSPITAL_SYSTEM)).items())

    def request(model: str = "") -> Any:
        return inference_pb2.OpinionRequest(task="summarize", report=REPORT, model=model)

    async with grpc_stub(gateway) as stub:
        opinion = await stub.GiveOpinion(request(), metadata=metadata)
        assert (opinion.model_version, opinion.notice, opinion.truncated) == ("m1", NOTICE, True)
        named = stub.StreamOpinion(request("base"), metadata=metadata)
        assert "curbside-demonstration-notice" not in dict(await named.initial_metadata())
        *_, last = [chunk async for chunk in named]
        assert (last.final.model_version, last.final.truncated) == ("base", True)
        with pytest.raises(aio.AioRpcError) as refused:
            await stub.GiveOpinion(request("../m1"), metadata=metadata)
        assert refused.value.code() is grpc.StatusCode.NOT_FOUND


async def test_who_leaves_a_grpc_stream_closes_the_engines(gateway: Gateway) -> None:
    gateway.engine.hold = asyncio.Event()
    metadata = tuple((await gateway.opened.headers(Role.CLINICIAN)).items())
    async with grpc_stub(gateway) as stub:
        call = stub.StreamOpinion(
            inference_pb2.OpinionRequest(task="summarize", report=REPORT), metadata=metadata
        )
        assert (await call.read()).text == "A 5 mm nodule"
        call.cancel()
        await asyncio.wait_for(gateway.engine.left.wait(), WAIT)
    assert not await gateway.given()


def test_the_migrated_schema_is_that_of_the_tables(gateway: Gateway) -> None:
    engine = create_engine(sync_url(gateway.opened.platform.database.url))
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
    engine.dispose()
