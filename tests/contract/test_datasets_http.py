"""Datasets over a real platform: events in, versions out, rights on every route."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from datasets_builds import REPORTS, built, deidentified, displaced, ids_of, learn
from sqlalchemy import create_engine, text

from curbside.contracts.topics import DATASETS_PUBLISHED
from curbside.contracts.v1 import events_pb2
from curbside.identity import Role
from curbside.storage.migrate import alembic_config
from curbside.storage.sqlite import sync_url
from curbside.storage.zones import Zone
from curbside.testing.platform import TestPlatform, open_test_platform
from curbside_datasets import builder, gathering, store
from curbside_datasets.domain import mining, policies

pytestmark = pytest.mark.usefixtures("halves")


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[TestPlatform]:
    async with open_test_platform("datasets", tmp_path) as opened:
        yield opened


@pytest.fixture
async def client(opened: TestPlatform) -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(app=opened.app)
    headers = await opened.headers(Role.STEWARD)
    async with httpx2.AsyncClient(transport=transport, base_url="http://test", headers=headers) as client:
        yield client


async def test_a_build_publishes_a_version_whose_examples_trace_to_reports(
    opened: TestPlatform, client: httpx2.AsyncClient
) -> None:
    await learn(opened, REPORTS)
    build = await built(opened, client, {})
    assert build["state"] == "published"
    version = build["version"]
    manifest = (await client.get(f"/datasets/v1/versions/{version}")).json()
    assert set(manifest["splits"]) == {"train", "validation", "test"}
    assert manifest["checks"]["patients_shared_between_splits"] == "none"
    ids, known = {report.external_id for report in REPORTS}, await ids_of(opened)
    subjects: dict[str, set[str]] = {}
    for split in manifest["splits"]:
        rows = (await client.get(f"/datasets/v1/versions/{version}/examples?split={split}&limit=500")).json()
        assert len(rows["examples"]) == manifest["splits"][split]["examples"]
        for row in rows["examples"]:
            assert known[row["report_id"]] in ids
            subjects.setdefault(split, set()).add(row["subject"])
    assert not subjects["train"] & subjects["test"]
    assert not {report.patient_id for report in REPORTS} & set().union(*subjects.values()), (
        "codes, not subjects"
    )
    (event,) = await opened.published(DATASETS_PUBLISHED)
    assert isinstance(event.payload, events_pb2.DatasetPublished)
    assert event.payload.version == version


async def test_the_same_reports_and_recipe_give_the_same_version_and_one_event(
    opened: TestPlatform, client: httpx2.AsyncClient
) -> None:
    await learn(opened, REPORTS)
    first = (await built(opened, client, {}))["version"]
    blobs = opened.stored(Zone.SAFE)
    versions = {first, (await built(opened, client, {}))["version"]}
    assert opened.stored(Zone.SAFE) == blobs, "what is published is not written again"
    other = (await built(opened, client, {"split_seed": 7}))["version"]
    assert len(versions) == 1
    assert other not in versions
    assert len(await opened.published(DATASETS_PUBLISHED)) == 2


async def test_what_cannot_teach_is_counted_by_reason_and_stops_no_build(
    opened: TestPlatform, client: httpx2.AsyncClient
) -> None:
    await learn(opened, REPORTS)
    draft = replace(REPORTS[0], external_id="draft")
    await opened.deliver(
        await deidentified(opened, draft, status=events_pb2.REPORT_STATUS_PRELIMINARY),
    )
    prose = replace(REPORTS[0], external_id="prose", text="No heading anywhere.", spans=())
    await opened.deliver(await deidentified(opened, prose))
    build = await built(opened, client, {})
    assert (build["state"], build["done"], build["total"]) == ("published", 26, 26)
    manifest = (await client.get(f"/datasets/v1/versions/{build['version']}")).json()
    expected = {"not-final": 1, "no-sections": 1}
    assert manifest["reports"] == {
        "total": 26,
        "with_examples": 24,
        "without_examples": expected,
        "answers_dropped": {},
    }
    ledger = (await client.get("/datasets/v1/ledger")).json()
    assert (ledger["reports"], ledger["with_examples"], ledger["without_examples"]) == (26, 24, expected)


async def test_a_build_judges_by_its_own_recipe(opened: TestPlatform, client: httpx2.AsyncClient) -> None:
    await learn(opened, REPORTS)
    build = await built(opened, client, {"tasks": ["diagnose"], "max_output_words": 2})
    manifest = (await client.get(f"/datasets/v1/versions/{build['version']}")).json()
    reports = manifest["reports"]
    assert set(reports["without_examples"]) == {"answer-too-long"}
    assert reports["with_examples"] + reports["without_examples"]["answer-too-long"] == 24
    assert {task for part in manifest["splits"].values() for task in part["by_task"]} == {"diagnose"}


async def test_an_event_delivered_twice_is_learned_once_and_a_newer_one_replaces(
    opened: TestPlatform, client: httpx2.AsyncClient
) -> None:
    event = await deidentified(opened, REPORTS[0])
    await opened.deliver(event)
    await opened.deliver(event)
    ledger = (await client.get("/datasets/v1/ledger")).json()
    assert (ledger["reports"], ledger["with_examples"]) == (1, 1)
    changed = await deidentified(opened, REPORTS[0], status=events_pb2.REPORT_STATUS_ENTERED_IN_ERROR)
    await opened.deliver(changed)
    ledger = (await client.get("/datasets/v1/ledger")).json()
    assert (ledger["reports"], ledger["without_examples"]) == (1, {"withdrawn": 1})


@pytest.mark.parametrize("state", ["superseded", "withdrawn"])
@pytest.mark.parametrize("first", ["deidentified", "displaced"])
async def test_a_displaced_report_teaches_nothing_whichever_event_comes_first(
    opened: TestPlatform, client: httpx2.AsyncClient, state: str, first: str
) -> None:
    await learn(opened, REPORTS[1:])
    events = [await deidentified(opened, REPORTS[0]), displaced(REPORTS[0], state)]
    for event in events if first == "deidentified" else events[::-1]:
        await opened.deliver(event)
        await opened.deliver(event)
    ledger = (await client.get("/datasets/v1/ledger")).json()
    assert (ledger["reports"], ledger["with_examples"]) == (24, 23)
    assert ledger["without_examples"] == {state: 1}
    version = (await built(opened, client, {}))["version"]
    manifest = (await client.get(f"/datasets/v1/versions/{version}")).json()
    assert manifest["reports"]["without_examples"][state] == 1
    assert manifest["reports"]["total"] == 24
    known = await ids_of(opened)
    for split in manifest["splits"]:
        rows = (await client.get(f"/datasets/v1/versions/{version}/examples?split={split}&limit=500")).json()
        codes = {code for row in rows["examples"] for code in (row["report_id"], row["prior_report_id"])}
        named = {known[code] for code in codes if code}
        assert named
        assert REPORTS[0].external_id not in named, "neither by itself nor as a prior"


async def test_a_late_release_brings_no_displaced_report_back(
    opened: TestPlatform, client: httpx2.AsyncClient
) -> None:
    await opened.deliver(await deidentified(opened, REPORTS[0]))
    await opened.deliver(displaced(REPORTS[0], "withdrawn"))
    await opened.deliver(await deidentified(opened, REPORTS[0], released=True))
    ledger = (await client.get("/datasets/v1/ledger")).json()
    assert (ledger["reports"], ledger["without_examples"]) == (1, {"withdrawn": 1})


@pytest.mark.parametrize("order", [("superseded", "withdrawn"), ("withdrawn", "superseded")])
async def test_withdrawn_stands_over_superseded(
    opened: TestPlatform, client: httpx2.AsyncClient, order: tuple[str, str]
) -> None:
    await opened.deliver(await deidentified(opened, REPORTS[0]))
    for state in order:
        await opened.deliver(displaced(REPORTS[0], state))
    assert (await client.get("/datasets/v1/ledger")).json()["without_examples"] == {"withdrawn": 1}


async def test_a_report_displaced_before_it_was_seen_is_not_yet_counted(
    opened: TestPlatform, client: httpx2.AsyncClient
) -> None:
    await opened.deliver(displaced(REPORTS[0], "superseded"))
    ledger = (await client.get("/datasets/v1/ledger")).json()
    assert (ledger["reports"], ledger["without_examples"]) == (0, {})


async def test_a_build_mines_by_the_policies_that_its_manifest_names(
    opened: TestPlatform, client: httpx2.AsyncClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await learn(opened, REPORTS)
    first = (await built(opened, client, {"tasks": ["anomalies"]}))["version"]
    directory = Path(policies.__file__).parent
    for name in policies.NAMES:
        shutil.copy(directory / f"{name}.yaml", tmp_path)
    cues = tmp_path / "cues.yaml"
    cues.write_text(cues.read_text().replace('normal: ["no"', 'normal: ["the", "is", "of", "a", "no"'))
    monkeypatch.setattr(policies, "_DIRECTORY", tmp_path)
    caches = (policies.policy, policies._bytes, mining._cue)
    try:
        for cache in caches:
            cache.cache_clear()
        second = (await built(opened, client, {"tasks": ["anomalies"]}))["version"]
    finally:
        monkeypatch.undo()
        for cache in caches:
            cache.cache_clear()
    manifests = [(await client.get(f"/datasets/v1/versions/{name}")).json() for name in (first, second)]
    assert manifests[1]["policies"]["cues"] == hashlib.sha256(cues.read_bytes()).hexdigest()
    assert manifests[0]["policies"]["cues"] == policies.policy_hash("cues")
    assert manifests[0]["content_hash"] != manifests[1]["content_hash"]


async def test_a_version_is_named_by_its_counts_too(opened: TestPlatform, client: httpx2.AsyncClient) -> None:
    await learn(opened, REPORTS)
    first = (await built(opened, client, {}))["version"]
    prose = replace(REPORTS[0], external_id="prose", text="No heading anywhere.", spans=())
    await opened.deliver(await deidentified(opened, prose))
    second = (await built(opened, client, {}))["version"]
    manifests = [(await client.get(f"/datasets/v1/versions/{name}")).json() for name in (first, second)]
    assert manifests[0]["content_hash"] == manifests[1]["content_hash"]
    assert [manifest["reports"]["total"] for manifest in manifests] == [24, 25]


async def rows_of(client: httpx2.AsyncClient, version: object) -> list[dict[str, str]]:
    manifest = (await client.get(f"/datasets/v1/versions/{version}")).json()
    found = []
    for split in manifest["splits"]:
        page = await client.get(f"/datasets/v1/versions/{version}/examples?split={split}&limit=500")
        found += page.json()["examples"]
    return found


@pytest.mark.parametrize(
    ("stated", "policy", "basis"),
    [
        ("safe_harbor", "safe-harbor-placeholders:abc", "safe_harbor"),
        ("expert_determination", "p:abc+mine:expert_determination:def", "expert_determination"),
        ("", "safe-harbor-placeholders:abc", "safe_harbor"),
        ("", "p:abc+mine:expert_determination:def", "expert_determination"),
    ],
)
async def test_a_version_says_what_it_rests_on(
    opened: TestPlatform, client: httpx2.AsyncClient, stated: str, policy: str, basis: str
) -> None:
    for report in REPORTS:
        await opened.deliver(await deidentified(opened, report, legal_basis=stated, policy=policy))
    build = await built(opened, client, {})
    [manifest] = (await client.get("/datasets/v1/versions")).json()["versions"]
    assert manifest["version"] == build["version"]
    assert manifest["legal_basis"] == {"basis": basis, "reports": {basis: 24}, "subjects": "random"}


async def mixed(opened: TestPlatform) -> None:
    """Two thirds of the patients by Safe Harbor, the others by an expert's determination."""
    patients = sorted({report.patient_id for report in REPORTS})
    for report in REPORTS:
        expert = report.patient_id in patients[8:]
        says = {"legal_basis": "expert_determination", "subjects": "keyed"} if expert else {}
        await opened.deliver(await deidentified(opened, report, **says))


async def test_two_bases_are_not_mixed_unless_one_is_named(
    opened: TestPlatform, client: httpx2.AsyncClient
) -> None:
    await mixed(opened)
    problem = (await built(opened, client, {}))["problem"]
    assert isinstance(problem, dict)
    assert (problem["code"], problem["field"]) == ("dataset.mixed-legal-bases", "recipe.legal_basis")
    assert "expert_determination (8) and safe_harbor (16)" in problem["detail"]
    for basis, taken, subjects in (("safe_harbor", 16, "random"), ("expert_determination", 8, "keyed")):
        build = await built(opened, client, {"legal_basis": basis})
        manifest = (await client.get(f"/datasets/v1/versions/{build['version']}")).json()
        assert manifest["legal_basis"] == {"basis": basis, "reports": {basis: taken}, "subjects": subjects}
        assert manifest["reports"]["without_examples"] == {"other-legal-basis": 24 - taken}


async def test_a_keyed_code_survives_the_table_of_codes_and_a_random_one_is_in_it(
    opened: TestPlatform, client: httpx2.AsyncClient
) -> None:
    await mixed(opened)
    keyed = await rows_of(
        client, (await built(opened, client, {"legal_basis": "expert_determination"}))["version"]
    )
    drawn = await rows_of(client, (await built(opened, client, {"legal_basis": "safe_harbor"}))["version"])
    async with opened.platform.database.begin() as transaction:
        table = await store.subject_codes(transaction.session, "default", [])
    assert {row["subject"] for row in drawn} == set(table.values())
    assert not {row["subject"] for row in keyed} & set(table.values())
    ring = opened.platform.ring
    expected = {gathering.keyed_code(ring, "default", report.patient_id) for report in REPORTS}
    assert {row["subject"] for row in keyed} < expected


async def test_a_row_tells_no_report_id_and_a_steward_traces_it(
    opened: TestPlatform, client: httpx2.AsyncClient
) -> None:
    await learn(opened, REPORTS)
    row = (await rows_of(client, (await built(opened, client, {}))["version"]))[0]
    traced = (await client.get(f"/datasets/v1/reports/{row['report_id']}")).json()
    assert traced["report_id"] in {report.external_id for report in REPORTS}
    assert traced["report_id"] not in json.dumps(row)
    trainer = await opened.headers(Role.TRAINER)
    path = f"/datasets/v1/reports/{row['report_id']}"
    assert (await client.get(path, headers=trainer)).status_code == 403
    assert (await client.get("/datasets/v1/reports/r-nobody")).status_code == 404


async def test_years_alone_are_compared_by_place(opened: TestPlatform, client: httpx2.AsyncClient) -> None:
    for number, report in enumerate(sorted(REPORTS, key=lambda one: one.authored_at)):
        says = {"authored_at": str(report.authored_at.year), "place": f"{2 * number + 1}/2"}
        await opened.deliver(await deidentified(opened, report, **says))
    compared = [
        row
        for row in await rows_of(client, (await built(opened, client, {}))["version"])
        if row["task"] == "compare"
    ]
    known, by_id = await ids_of(opened), {report.external_id: report for report in REPORTS}
    assert compared
    for row in compared:
        earlier, later = (by_id[known[row[name]]] for name in ("prior_report_id", "report_id"))
        assert earlier.patient_id == later.patient_id
        assert earlier.authored_at < later.authored_at


async def test_a_build_of_too_few_patients_fails_with_what_to_do(
    opened: TestPlatform, client: httpx2.AsyncClient
) -> None:
    await learn(opened, REPORTS[:2])
    build = await built(opened, client, {})
    assert build["state"] == "failed"
    problem = build["problem"]
    assert isinstance(problem, dict)
    assert problem["code"] == "dataset.too-few-patients"
    assert "more patients" in problem["mend"]


async def test_a_build_left_by_a_killed_process_is_begun_again(
    opened: TestPlatform, client: httpx2.AsyncClient
) -> None:
    await learn(opened, REPORTS)
    answer = (await client.post("/datasets/v1/builds", json={"name": "test"})).json()
    async with opened.platform.database.begin() as transaction:
        await store.set_build(transaction.session, answer["build_id"], state=store.BuildState.BUILDING)
    async with opened.platform.database.read() as session:
        build = await store.next_build(session)
    assert build is not None
    version = await builder.run_build(build, database=opened.platform.database, blobs=opened.platform.blobs)
    assert (await client.get("/datasets/v1/versions")).json()["versions"][0]["version"] == version


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "field"),
    [
        ("POST", "/datasets/v1/builds", {"name": ""}, 422, "name"),
        ("POST", "/datasets/v1/builds", {"name": "x", "recipe": {"train": 2}}, 422, "recipe.train"),
        ("POST", "/datasets/v1/builds", {"name": "x", "recipe": {"nonsense": 2}}, 422, "recipe.nonsense"),
        ("GET", "/datasets/v1/builds/nope", None, 404, "build_id"),
        ("GET", "/datasets/v1/versions/ds-nope", None, 404, "version"),
    ],
)
async def test_a_wrong_request_is_a_problem_that_names_its_field(
    client: httpx2.AsyncClient, method: str, path: str, body: object, status: int, field: str
) -> None:
    answer = await client.request(method, path, json=body)
    assert (answer.status_code, answer.json()["field"]) == (status, field)


async def test_an_unknown_split_names_those_there_are(
    opened: TestPlatform, client: httpx2.AsyncClient
) -> None:
    await learn(opened, REPORTS)
    version = (await built(opened, client, {}))["version"]
    answer = await client.get(f"/datasets/v1/versions/{version}/examples?split=holdout")
    assert answer.status_code == 404
    assert "train" in json.dumps(answer.json())


async def test_a_clinician_sees_no_dataset(opened: TestPlatform, client: httpx2.AsyncClient) -> None:
    headers = await opened.headers(Role.CLINICIAN)
    assert (await client.get("/datasets/v1/versions", headers=headers)).status_code == 403


def test_the_migrated_schema_is_the_declared_one(opened: TestPlatform) -> None:
    engine = create_engine(sync_url(opened.platform.database.url))
    with engine.connect() as connection:
        assert not compare_metadata(MigrationContext.configure(connection), store.METADATA)
    engine.dispose()


def test_a_report_of_which_only_the_mined_form_was_kept_stays_counted_with_its_reason(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'old.db'}"
    config = alembic_config("curbside_datasets", url)
    command.upgrade(config, "0001")
    engine = create_engine(url)
    row = (
        "INSERT INTO reports VALUES (:id, 'default', 's', 'x', 'x', 1, '', 'p', :mined, '[]', :reason, "
        "'2026-11-24 00:00:00')"
    )
    with engine.begin() as connection:
        connection.execute(text(row), {"id": "r1", "mined": "{}", "reason": ""})
        connection.execute(text(row), {"id": "r2", "mined": None, "reason": "no-sections"})
    command.upgrade(config, "head")
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT report_id, text, reason FROM reports ORDER BY 1")).all()
    engine.dispose()
    assert [tuple(row) for row in rows] == [("r1", None, "text-unknown"), ("r2", None, "no-sections")]


def test_reports_of_an_earlier_release_get_a_basis_by_their_policy_and_a_code(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'old.db'}"
    config = alembic_config("curbside_datasets", url)
    command.upgrade(config, "0002")
    engine = create_engine(url)
    row = (
        "INSERT INTO reports (report_id, tenant, subject, type, source, status, authored_at, policy, tasks, "
        "reason, mined_at) VALUES (:id, 't', 's', 'x', 'x', 1, '', :policy, '[]', '', '2026-11-24 00:00:00')"
    )
    with engine.begin() as connection:
        connection.execute(text(row), {"id": "r1", "policy": "safe-harbor-placeholders:a"})
        connection.execute(text(row), {"id": "r2", "policy": "p:a+mine:expert_determination:b"})
    command.upgrade(config, "head")
    with engine.connect() as connection:
        query = "SELECT legal_basis, subjects, place FROM reports ORDER BY report_id"
        rows = [tuple(one) for one in connection.execute(text(query))]
        codes = {code for (code,) in connection.execute(text("SELECT code FROM reports"))}
    assert rows == [("safe_harbor", "random", ""), ("expert_determination", "random", "")]
    assert len(codes) == 2
    command.downgrade(config, "0002")
    command.upgrade(config, "head")
    engine.dispose()
