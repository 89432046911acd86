"""The builder: queued builds become published versions, one at a time, resumed after a crash."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from curbside.contracts.events import new_event
from curbside.contracts.v1 import events_pb2
from curbside.errors import CurbsideError, Unavailable
from curbside.segmentation import headings_hash
from curbside.storage.blobs import BlobStore
from curbside.storage.database import Database, Transaction
from curbside.storage.keys import KeyRing
from curbside.storage.zones import Zone
from curbside_datasets import store
from curbside_datasets.domain.examples import Example, MinedReport, content_hash, examples_of
from curbside_datasets.domain.policies import NAMES, policy_hash
from curbside_datasets.domain.recipe import Recipe
from curbside_datasets.domain.splitting import Split, check_splits, split_subjects
from curbside_datasets.gathering import Gathered, gather
from curbside_datasets.parquet import to_parquet

log = logging.getLogger(__name__)


class BuildFailed(CurbsideError):
    code = "dataset.build-failed"


async def build_forever(
    *, database: Database, blobs: BlobStore, queued: asyncio.Event, poll: timedelta
) -> None:
    """Whatever is down is waited for: what was not finished is begun again when it is back."""
    while True:
        queued.clear()
        try:
            async with database.read() as session:
                build = await store.next_build(session)
            if build is not None:
                async with database.alone("builder"):
                    async with database.read() as session:
                        build = await store.next_build(session)  # another may have ended it meanwhile
                    if build is not None:
                        await _build(build, database=database, blobs=blobs)
                continue
        except Unavailable as error:
            log.warning("the builder waits", extra={"error": error.code})
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(queued.wait(), poll.total_seconds())


async def _build(build: store.Build, *, database: Database, blobs: BlobStore) -> None:
    """Take `build` to its end: a version, or a failure with its reason. Raises Unavailable before that."""
    try:
        await run_build(build, database=database, blobs=blobs)
    except Unavailable:
        raise
    except Exception as error:
        log.exception("build failed", extra={"build": build.build_id})
        failure = (
            error if isinstance(error, CurbsideError) else BuildFailed("the build failed; it is in our log")
        )
        async with database.begin() as transaction:
            await store.set_build(
                transaction.session,
                build.build_id,
                state=store.BuildState.FAILED,
                problem=failure.problem(),
            )


async def run_build(build: store.Build, *, database: Database, blobs: BlobStore) -> str:
    """Publish the version of `build` and return its name; the same reports, recipe and policies give the
    same one. Where a report that it read may no longer teach when it is done, it is built again."""
    while True:
        version = await _run_build(build, database=database, blobs=blobs)
        if version is not None:
            return version
        log.info("a report was barred while it was built: it is built again", extra={"build": build.build_id})


async def _run_build(build: store.Build, *, database: Database, blobs: BlobStore) -> str | None:
    recipe = Recipe.model_validate(build.recipe)
    gathered = await gather(build, recipe, database=database, blobs=blobs)
    made = await asyncio.to_thread(assemble, gathered.reports, recipe, gathered.idle)
    said = {
        "recipe": recipe.model_dump(mode="json"),
        "recipe_hash": recipe.fingerprint(),
        "content_hash": made.content,
        "reports": dict(made.reports),
        "legal_basis": {
            "basis": gathered.basis,  # of every report that a row came of
            "reports": {gathered.basis: made.reports_in_rows},
            "subjects": gathered.subjects.value,
        },
        "deidentification_policies": sorted(gathered.policies),
        # True of every row, because every row was mined just now.
        "policies": {"headings": headings_hash()} | {name: policy_hash(name) for name in NAMES},
    }
    version = version_of(said)
    async with database.read() as session:
        published = await store.find_manifest(session, build.tenant, version)
    if published is not None:
        async with database.begin() as transaction:
            if not await _may_teach(gathered, build, transaction, database.ring):
                return None
            await store.set_build(
                transaction.session, build.build_id, state=store.BuildState.PUBLISHED, version=version
            )
        return version
    parts: dict[str, Any] = {}
    for split, examples in made.splits.items():
        data = await asyncio.to_thread(to_parquet, examples, split)
        blob = await blobs.put(Zone.SAFE, data, tenant=build.tenant)
        parts[split.value] = {
            "examples": len(examples),
            "reports": len({example.report_id for example in examples}),
            "subjects": len({example.subject for example in examples}),
            "by_task": dict(Counter(example.task.value for example in examples)),
            "blob": blob.to_json(),
            "sha256": hashlib.sha256(data).hexdigest(),
        }
    manifest = {
        "version": version,
        "name": build.name,
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        **said,
        "splits": parts,
        "checks": dict(made.checks),
    }
    if not await _publish(build, manifest, gathered, database=database, blobs=blobs):
        return None
    return version


async def _may_teach(gathered: Gathered, build: store.Build, transaction: Transaction, ring: KeyRing) -> bool:
    """Whether all that was read may still be: no other transaction says otherwise until this one ends."""
    return gathered.read <= await store.readable_reports(transaction.session, build.tenant, ring)


def version_of(said: Mapping[str, Any]) -> str:
    """The name of a version: the hash of what its manifest says of its content, recipe and lineage.

    Were the counts and the lineage left out, a build that found the same examples among other reports, or
    by other policies, would be answered with a manifest that is not true of it.
    """
    return f"ds-{hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:16]}"


async def _publish(
    build: store.Build,
    manifest: dict[str, Any],
    gathered: Gathered,
    *,
    database: Database,
    blobs: BlobStore,
) -> bool:
    """False where a report was barred meanwhile; nothing is published then."""
    blob = await blobs.put(Zone.SAFE, json.dumps(manifest).encode(), tenant=build.tenant)
    version = manifest["version"]
    sizes = {split: part["examples"] for split, part in manifest["splits"].items()}
    async with database.begin() as transaction:
        if not await _may_teach(gathered, build, transaction, database.ring):
            return False
        if await store.add_version(
            transaction.session, tenant=build.tenant, name=build.name, manifest=manifest, blob=blob
        ):
            payload = events_pb2.DatasetPublished(
                version=version, name=build.name, manifest=blob.to_message(), examples_by_split=sizes
            )
            await transaction.publish(new_event(payload, tenant=build.tenant))
            await transaction.record(
                actor=build.actor,
                tenant=build.tenant,
                action="dataset.published",
                target=version,
                details={"build": build.build_id, "examples": sizes},
            )
        await store.set_build(
            transaction.session, build.build_id, state=store.BuildState.PUBLISHED, version=version
        )
    return True


@dataclass(frozen=True)
class Assembled:
    """Examples by split, with what the manifest says of them."""

    splits: Mapping[Split, Sequence[Example]]
    checks: Mapping[str, str]
    content: str
    reports: Mapping[str, Any]
    reports_in_rows: int  # also those that only a comparison shows, as the earlier one


def assemble(reports: Sequence[MinedReport], recipe: Recipe, idle: Mapping[str, int]) -> Assembled:
    """Examples of `reports`, split and checked; `idle` counts the reports that have no input, by reason.

    Raises GateFailed where a split is empty or leaks.
    """
    made = examples_of(reports, recipe)
    by_id = {report.report_id: report for report in reports}
    untraced = [
        example.example_id
        for example in made.examples
        if not {example.report_id, example.prior_report_id or example.report_id} <= by_id.keys()
    ]
    if untraced:
        raise BuildFailed(f"{len(untraced)} examples trace to no report")
    # Only patients with examples are split: the others would make a split look larger than it is.
    involved = {example.subject for example in made.examples}
    chosen = split_subjects([report for report in reports if report.subject in involved], recipe)
    by_split: dict[Split, list[Example]] = {split: [] for split in Split}
    for example in made.examples:
        by_split[chosen[example.subject]].append(example)
    checks = check_splits(by_split, recipe.near_duplicate)
    without = Counter(idle) + Counter(reason.value for reason in made.without.values())
    teaching = {example.report_id for example in made.examples}
    priors = {example.prior_report_id for example in made.examples if example.prior_report_id is not None}
    return Assembled(
        splits={split: some for split, some in by_split.items() if some},
        checks={**checks, "examples_trace_to_reports": f"all {len(made.examples)}"},
        content=content_hash({split.value: some for split, some in by_split.items()}),
        reports={
            "total": len(reports) + sum(idle.values()),
            "with_examples": len(teaching),
            "without_examples": dict(without),
            "answers_dropped": dict(made.dropped),
        },
        reports_in_rows=len(teaching | priors),
    )
