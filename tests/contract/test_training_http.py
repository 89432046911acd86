"""Training over a real platform: runs queued once, carried out, gated, promoted, rolled back."""

from __future__ import annotations

import io
import tarfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import httpx2
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from grpc import aio
from sqlalchemy import create_engine

from curbside.contracts.events import new_event
from curbside.contracts.tasks import Task
from curbside.contracts.topics import MODELS_PROMOTED, RUNS_FINISHED
from curbside.contracts.v1 import events_pb2, training_pb2, training_pb2_grpc
from curbside.errors import CurbsideError, Unavailable
from curbside.identity import Principal, Role
from curbside.identity.grpc import RightsInterceptor
from curbside.storage.blobs import BlobRef
from curbside.storage.sqlite import sync_url
from curbside.storage.zones import Zone
from curbside.testing.platform import TestPlatform, open_test_platform
from curbside_training import store
from curbside_training.domain.gates import judge
from curbside_training.domain.promotions import Promotion, standing
from curbside_training.domain.recipe import Recipe
from curbside_training.driver import Outcome, Standing, carry_out
from curbside_training.handlers import check_driver, promote
from curbside_training.materials import Materials, at_most, pack_adapter
from curbside_training.settings import TrainingSettings

pytestmark = pytest.mark.usefixtures("halves")

VERSION = "ds-0123456789abcdef"
ROW = {
    "task": "summarize",
    "instruction": "Summarize.",
    "input": "FINDINGS: a",
    "prior": None,
    "output": "b",
    "prior_report_id": None,
    "report_type": "radiology",
    "source": "test",
    "labelled_by": "test",
}


def figures(questions: int, rouge: float, perplexity: float) -> dict[str, Any]:
    def figure(value: float) -> dict[str, Any]:
        return {"value": value, "low": value, "high": value, "count": questions}

    return {
        "questions": questions,
        "rouge_l": figure(rouge),
        "diagnosis_accuracy": figure(rouge),
        "comparison_accuracy": {"value": None, "low": None, "high": None, "count": 0},
        "perplexity": figure(perplexity),
    }


def evaluation(questions: int = 100, gain: float = 0.4) -> dict[str, Any]:
    groups = {"base": figures(questions, 0.1, 10.0), "tuned": figures(questions, 0.1 + gain, 2.0)}
    return {"groups": {"held_out": groups}, "samples": []}


class FakeWork:
    """Tunes nothing: writes an adapter and says how far it is. It can fail, as real work does."""

    def __init__(self, directory: Path, evaluation: dict[str, Any], salt: str = "") -> None:
        self.directory = directory
        self.evaluation = evaluation
        self.salt = salt
        self.seen: list[Materials] = []
        self.failure: Exception | None = None

    def __call__(
        self, recipe: Recipe, materials: Materials, *, run_id: str, directory: Path, standing: Standing
    ) -> Outcome:
        self.seen.append(materials)
        standing.enter(store.RunState.TRAINING)
        standing.say(step=7, steps=7, loss=0.5)
        if self.failure is not None:
            raise self.failure
        adapter = self.directory / f"adapter{self.salt}"
        adapter.mkdir(exist_ok=True)
        (adapter / "adapter_config.json").write_text("{}")
        (adapter / "adapter_model.safetensors").write_bytes(b"weights" + self.salt.encode())
        return Outcome(adapter, self.evaluation)


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[TestPlatform]:
    async with open_test_platform("training", tmp_path) as opened:
        yield opened


@pytest.fixture
async def client(opened: TestPlatform) -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(app=opened.app)
    headers = await opened.headers(Role.ADMINISTRATOR)
    async with httpx2.AsyncClient(transport=transport, base_url="http://test", headers=headers) as client:
        yield client


def parquet(rows: list[dict[str, Any]]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), buffer)
    return buffer.getvalue()


async def publish_dataset(opened: TestPlatform, *, damage: bool = False) -> None:
    """The blobs and the event of a version, as datasets would leave them."""
    import hashlib
    import json

    parts = {}
    for split, count in (("train", 6), ("validation", 2), ("test", 3), ("holdout", 2)):
        rows = [
            {
                **ROW,
                "example_id": f"{split}-{n}",
                "report_id": f"{split}-r{n}",
                "subject": f"s-{split}-{n}",
                "split": split,
            }
            for n in range(count)
        ]
        data = parquet(rows)
        blob = await opened.platform.blobs.put(Zone.SAFE, data, tenant="default")
        digest = hashlib.sha256(b"other" if damage else data).hexdigest()
        parts[split] = {"blob": blob.to_json(), "sha256": digest, "examples": count}
    manifest = json.dumps({"version": VERSION, "splits": parts}).encode()
    blob = await opened.platform.blobs.put(Zone.SAFE, manifest, tenant="default")
    payload = events_pb2.DatasetPublished(version=VERSION, name="test", manifest=blob.to_message())
    await opened.deliver(new_event(payload, tenant="default"))


async def carried_out(opened: TestPlatform, work: FakeWork) -> None:
    async with opened.platform.database.read() as session:
        run = await store.next_run(session)
    assert run is not None
    await carry_out(
        run,
        database=opened.platform.database,
        blobs=opened.platform.blobs,
        work=work,
        settings=TrainingSettings(),
        directory=work.directory / run.run_id,
    )


async def trained(opened: TestPlatform, client: httpx2.AsyncClient, work: FakeWork, **body: Any) -> str:
    answer = await client.post("/training/v1/runs", json={"dataset_version": VERSION, **body})
    assert answer.status_code == 202
    await carried_out(opened, work)
    run = (await client.get(f"/training/v1/runs/{answer.json()['run_id']}")).json()
    assert run["state"] == "succeeded"
    return str(run["model_version"])


async def test_a_run_becomes_a_model_version_with_its_lineage(
    opened: TestPlatform, client: httpx2.AsyncClient, tmp_path: Path
) -> None:
    await publish_dataset(opened)
    work = FakeWork(tmp_path, evaluation())
    version = await trained(opened, client, work)
    (materials,) = work.seen
    assert (len(materials.train), len(materials.validation), len(materials.held_out)) == (6, 2, 5)
    assert {example.group.value for example in materials.held_out} == {"test", "holdout"}
    model = (await client.get(f"/training/v1/models/{version}")).json()
    assert (model["dataset_version"], model["base_model"], model["aliases"]) == (VERSION, "embedded", [])
    (event,) = await opened.published(RUNS_FINISHED)
    assert isinstance(event.payload, events_pb2.RunFinished)
    assert (event.payload.outcome, event.payload.model_version) == ("succeeded", version)


async def test_the_same_request_is_the_same_run_and_force_is_another(
    opened: TestPlatform, client: httpx2.AsyncClient
) -> None:
    await publish_dataset(opened)
    body = {"dataset_version": VERSION, "recipe": {"epochs": 2}}
    first, second = [await client.post("/training/v1/runs", json=body) for _ in range(2)]
    forced = await client.post("/training/v1/runs", json={**body, "force": True})
    assert (first.status_code, second.status_code, forced.status_code) == (202, 200, 202)
    assert first.json()["run_id"] == second.json()["run_id"] != forced.json()["run_id"]


async def test_a_failed_run_says_why_and_is_queued_again_on_request(
    opened: TestPlatform, client: httpx2.AsyncClient, tmp_path: Path
) -> None:
    await publish_dataset(opened)
    work = FakeWork(tmp_path, evaluation())
    work.failure = CurbsideError("the worker was killed")
    run_id = (await client.post("/training/v1/runs", json={"dataset_version": VERSION})).json()["run_id"]
    await carried_out(opened, work)
    run = (await client.get(f"/training/v1/runs/{run_id}")).json()
    assert (run["state"], run["reason"]) == ("failed", "internal: the worker was killed")
    work.failure = None
    again = await client.post("/training/v1/runs", json={"dataset_version": VERSION})
    assert (again.status_code, again.json()["run_id"]) == (202, run_id)
    await carried_out(opened, work)
    assert (await client.get(f"/training/v1/runs/{run_id}")).json()["state"] == "succeeded"


async def test_an_unforeseen_error_keeps_its_message_to_itself(
    opened: TestPlatform, client: httpx2.AsyncClient, tmp_path: Path
) -> None:
    await publish_dataset(opened)
    work = FakeWork(tmp_path, evaluation())
    work.failure = ValueError("cannot parse 'FINDINGS: a'")
    run_id = (await client.post("/training/v1/runs", json={"dataset_version": VERSION})).json()["run_id"]
    await carried_out(opened, work)
    assert (await client.get(f"/training/v1/runs/{run_id}")).json()["reason"] == "ValueError"


async def test_a_file_that_is_not_the_published_one_fails_the_run(
    opened: TestPlatform, client: httpx2.AsyncClient, tmp_path: Path
) -> None:
    await publish_dataset(opened, damage=True)
    run_id = (await client.post("/training/v1/runs", json={"dataset_version": VERSION})).json()["run_id"]
    await carried_out(opened, FakeWork(tmp_path, evaluation()))
    run = (await client.get(f"/training/v1/runs/{run_id}")).json()
    assert run["reason"].startswith("training.damaged-dataset")


async def test_a_run_that_a_killed_driver_left_comes_before_queued_ones(
    opened: TestPlatform, client: httpx2.AsyncClient
) -> None:
    await publish_dataset(opened)
    for epochs in (1, 2):
        body = {"dataset_version": VERSION, "recipe": {"epochs": epochs}}
        last = (await client.post("/training/v1/runs", json=body)).json()["run_id"]
    async with opened.platform.database.begin() as transaction:
        await store.set_run(transaction.session, last, state=store.RunState.TRAINING)
    async with opened.platform.database.read() as session:
        run = await store.next_run(session)
    assert run is not None
    assert run.run_id == last


async def test_promotion_passes_the_gates_once_and_rolls_back(
    opened: TestPlatform, client: httpx2.AsyncClient, tmp_path: Path
) -> None:
    await publish_dataset(opened)
    first = await trained(opened, client, FakeWork(tmp_path, evaluation(), "1"))
    second = await trained(opened, client, FakeWork(tmp_path, evaluation(), "2"), force=True)
    for version in (first, first, second):
        answer = await client.post(f"/training/v1/models/{version}/promote", json={})
        assert answer.status_code == 200
    back = await client.post("/training/v1/models/rollback", json={"alias": "production"})
    assert back.json()["version"] == first
    events = await opened.published(MODELS_PROMOTED)
    payloads = [event.payload for event in events]
    assert [payload.model_version for payload in payloads] == [first, second, first]  # type: ignore[attr-defined]
    adapter = BlobRef.from_message(payloads[0].adapter)  # type: ignore[attr-defined]
    with tarfile.open(fileobj=io.BytesIO(await opened.platform.blobs.get(adapter))) as archive:
        assert archive.getnames() == ["adapter_config.json", "adapter_model.safetensors"]
    assert await opened.platform.database.verify_audit() == (7, None)


async def test_each_rollback_goes_further_back_and_never_up_again(
    opened: TestPlatform, client: httpx2.AsyncClient, tmp_path: Path
) -> None:
    await publish_dataset(opened)
    first, second, third = [
        await trained(opened, client, FakeWork(tmp_path, evaluation(), salt), force=True) for salt in "ABC"
    ]

    async def promoted(version: str) -> None:
        assert (await client.post(f"/training/v1/models/{version}/promote", json={})).status_code == 200

    async def back() -> httpx2.Response:
        return await client.post("/training/v1/models/rollback", json={"alias": "production"})

    for version in (first, second, third):
        await promoted(version)
    assert [(await back()).json()["version"] for _ in range(2)] == [second, first]
    assert (await client.get(f"/training/v1/models/{first}")).json()["aliases"] == ["production"]
    assert ((await back()).status_code, (await back()).json()["code"]) == (
        409,
        "training.nothing-to-roll-back",
    )
    await promoted(third)
    assert (await back()).json()["version"] == first


@pytest.mark.parametrize(
    ("history", "stack"),
    [
        ("", ""),
        ("A B C", "ABC"),
        ("A B C <B <A", "A"),
        ("A B <A C", "AC"),
        ("A B A <B", "AB"),
        ("A B C <B <B", "AB"),  # two rollbacks at once
        ("A B C <B <C", "ABC"),  # as an alias was once rolled back to what had been taken down
    ],
)
def test_a_history_is_a_stack(history: str, stack: str) -> None:
    entries = [Promotion(word.removeprefix("<"), back=word.startswith("<")) for word in history.split()]
    assert standing(entries) == list(stack)


async def test_a_version_of_another_base_model_is_not_promoted_nor_rolled_back_to(
    opened: TestPlatform, client: httpx2.AsyncClient, tmp_path: Path
) -> None:
    await publish_dataset(opened)
    other = await trained(
        opened, client, FakeWork(tmp_path, evaluation(), "A"), recipe={"base_model": "org/other"}
    )
    ours = await trained(opened, client, FakeWork(tmp_path, evaluation(), "B"))
    refused = await client.post(f"/training/v1/models/{other}/promote", json={})
    assert (refused.status_code, refused.json()["code"]) == (409, "training.other-base-model")
    assert "'org/other'" in refused.json()["detail"]
    assert "'embedded'" in refused.json()["detail"]
    assert "CURBSIDE_RUNTIME__BASE_MODEL" in refused.json()["mend"]

    # Promoted while the installation served the other base.
    principal = Principal("test", "default", frozenset())
    await promote(principal, other, "production", database=opened.platform.database, base_model="org/other")
    assert (await client.post(f"/training/v1/models/{ours}/promote", json={})).status_code == 200
    back = await client.post("/training/v1/models/rollback", json={"alias": "production"})
    assert (back.status_code, back.json()["code"]) == (409, "training.other-base-model")


@pytest.mark.parametrize(
    ("bad", "gate"),
    [(evaluation(gain=0.01), "rouge_l_gain"), (evaluation(questions=3), "questions")],
)
async def test_a_model_that_fails_a_gate_goes_no_further_and_says_which(
    opened: TestPlatform, client: httpx2.AsyncClient, tmp_path: Path, bad: dict[str, Any], gate: str
) -> None:
    await publish_dataset(opened)
    version = await trained(opened, client, FakeWork(tmp_path, bad))
    answer = await client.post(f"/training/v1/models/{version}/promote", json={})
    assert (answer.status_code, answer.json()["code"]) == (409, "gate.failed")
    assert gate in answer.json()["detail"]
    assert not await opened.published(MODELS_PROMOTED)


def test_a_gate_without_a_figure_fails() -> None:
    unknown = evaluation()
    unknown["groups"]["held_out"]["tuned"]["perplexity"]["value"] = None
    assert [result.gate for result in judge(unknown) if not result.passed] == ["perplexity_ratio"]


@pytest.mark.parametrize(
    ("path", "body", "status", "field"),
    [
        ("/training/v1/runs", {"dataset_version": "ds-nope"}, 404, "dataset_version"),
        ("/training/v1/runs", {"dataset_version": VERSION, "recipe": {"epochs": 0}}, 422, "recipe.epochs"),
        (
            "/training/v1/runs",
            {"dataset_version": VERSION, "recipe": {"lora": {"rank": 0}}},
            422,
            "recipe.lora.rank",
        ),
        ("/training/v1/models/mv-nope/promote", {}, 404, "version"),
        ("/training/v1/models/rollback", {}, 409, "alias"),
        ("/training/v1/models/rollback", {"alias": "NO"}, 422, "alias"),
    ],
)
async def test_a_wrong_request_is_a_problem_that_names_its_field(
    client: httpx2.AsyncClient, path: str, body: dict[str, Any], status: int, field: str
) -> None:
    answer = await client.post(path, json=body)
    assert (answer.status_code, answer.json()["field"]) == (status, field)


async def test_a_trainer_cannot_promote_and_an_approver_cannot_train(
    opened: TestPlatform, client: httpx2.AsyncClient
) -> None:
    trainer, approver = await opened.headers(Role.TRAINER), await opened.headers(Role.APPROVER)
    promoted = await client.post("/training/v1/models/mv-x/promote", json={}, headers=trainer)
    started = await client.post("/training/v1/runs", json={"dataset_version": VERSION}, headers=approver)
    assert (promoted.status_code, started.status_code) == (403, 403)


async def test_grpc_starts_and_shows_the_same_run_with_the_same_rights(opened: TestPlatform) -> None:
    await publish_dataset(opened)
    (bound,) = opened.service.grpc
    server = aio.server(interceptors=[RightsInterceptor(opened.tokens, bound.scopes, frozenset())])
    bound.add(bound.servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    metadata = (("authorization", f"Bearer {await opened.token(Role.TRAINER)}"),)
    async with aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub: Any = training_pb2_grpc.TrainingStub(channel)
        request = training_pb2.StartRunRequest(dataset_version=VERSION, recipe_yaml="epochs: 2")
        run = await stub.StartRun(request, metadata=metadata)
        assert run.state == "queued"
        shown = await stub.GetRun(training_pb2.GetRunRequest(run_id=run.run_id), metadata=metadata)
        assert shown == run
        with pytest.raises(aio.AioRpcError) as refused:
            await stub.StartRun(request)
        assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
        wrong = training_pb2.StartRunRequest(dataset_version=VERSION, recipe_yaml="- not a mapping")
        with pytest.raises(aio.AioRpcError) as refused:
            await stub.StartRun(wrong, metadata=metadata)
        assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    await server.stop(None)


async def test_a_silent_driver_is_not_ready(tmp_path: Path) -> None:
    settings = TrainingSettings()
    with pytest.raises(Unavailable, match="driver"):
        await check_driver(heartbeat=tmp_path / "alive", silence=settings.driver_silence)
    (tmp_path / "alive").touch()
    await check_driver(heartbeat=tmp_path / "alive", silence=settings.driver_silence)


def test_at_most_takes_whole_reports_and_always_the_same() -> None:
    from curbside_training.domain.examples import Example

    examples = [
        Example(f"e{n}{task}", f"r{n}", f"s{n}", task, "in", "out") for n in range(9) for task in Task
    ]
    chosen = at_most(examples, 10)
    assert len(chosen) == 12
    assert {e.report_id for e in at_most(list(reversed(examples)), 10)} == {e.report_id for e in chosen}


def test_the_same_adapter_packs_to_the_same_bytes(tmp_path: Path) -> None:
    for name in ("b", "a"):
        (tmp_path / name).write_text(name)
    first = pack_adapter(tmp_path)
    (tmp_path / "a").touch()
    assert pack_adapter(tmp_path) == first


def test_the_migrated_schema_is_the_declared_one(opened: TestPlatform) -> None:
    engine = create_engine(sync_url(opened.platform.database.url))
    with engine.connect() as connection:
        assert not compare_metadata(MigrationContext.configure(connection), store.METADATA)
