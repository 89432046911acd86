"""What datasets does with an event and with each request."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from curbside.contracts.events import Event
from curbside.contracts.v1 import events_pb2
from curbside.errors import NotFound
from curbside.identity import Principal
from curbside.phi import SafeText
from curbside.storage.blobs import BlobRef, BlobStore
from curbside.storage.database import Database
from curbside_datasets import store
from curbside_datasets.domain.basis import Subjects, basis_of
from curbside_datasets.domain.mining import Reason, mine_report, offer
from curbside_datasets.domain.recipe import recipe_from
from curbside_datasets.domain.splitting import Split
from curbside_datasets.parquet import from_parquet

_NEVER_TRAIN: Final = MappingProxyType(
    {
        events_pb2.REPORT_STATUS_PRELIMINARY: Reason.NOT_FINAL,
        events_pb2.REPORT_STATUS_ENTERED_IN_ERROR: Reason.WITHDRAWN,
    }
)


class UnknownBuild(NotFound):
    code = "dataset.unknown-build"


class UnknownDataset(NotFound):
    code = "dataset.unknown"


class UnknownReport(NotFound):
    code = "dataset.unknown-report"


class UnknownSplit(NotFound):
    code = "dataset.unknown-split"


async def learn_report(event: Event, *, database: Database, blobs: BlobStore, group: str) -> None:
    """Keep where a de-identified report's text lies, and what it offers by itself, or why nothing.

    What was mined is not kept: a build mines again, by the policies that its manifest names.
    """
    payload = event.payload
    assert isinstance(payload, events_pb2.ReportDeidentified)
    ref: BlobRef | None = None
    reason = Reason.EXCLUDED if payload.exclusions else _NEVER_TRAIN.get(payload.status)
    tasks: tuple[str, ...] = ()
    if reason is None:
        ref = BlobRef.from_message(payload.text)
        text = SafeText((await blobs.get(ref)).decode("utf-8"), rules=(payload.policy,))
        # By the default recipe: a build judges again by its own.
        offered = offer(await asyncio.to_thread(mine_report, text), recipe_from({}))
        reason = offered.reason
        tasks = tuple(task.value for task in offered.answers) if reason is None else ()
    async with database.begin(payload.report_id) as transaction:
        if not await transaction.first_time(event, group):
            return
        await store.put_report(
            transaction.session,
            store.StoredReport(
                report_id=payload.report_id,
                tenant=event.tenant,
                subject=event.subject,
                type=payload.report_type,
                source=payload.source,
                status=payload.status,
                authored_at=payload.authored_at,
                policy=payload.policy,
                text=ref,
                tasks=tasks,
                reason=reason or "",
                legal_basis=basis_of(payload.legal_basis, payload.policy),
                subjects=payload.subjects or Subjects.RANDOM.value,
                place=payload.place,
            ),
        )


async def displace_report(event: Event, *, database: Database, group: str) -> None:
    """Take a superseded or withdrawn report out of every later build, though its text may yet come: no
    order holds between this event and the report's de-identification."""
    payload = event.payload
    assert isinstance(payload, events_pb2.ReportDisplaced)
    # A word of a later release also takes the report out: fail closed.
    state = Reason.SUPERSEDED if payload.state == Reason.SUPERSEDED else Reason.WITHDRAWN
    async with database.begin(payload.report_id) as transaction:
        if await transaction.first_time(event, group):
            await store.mark_displaced(transaction.session, event.tenant, payload.report_id, state)


async def request_build(
    principal: Principal,
    name: str,
    overrides: Mapping[str, Any],
    *,
    database: Database,
    queued: asyncio.Event,
) -> store.Build:
    """Queue a build. Raises BadRecipe before anything is queued."""
    recipe = recipe_from(dict(overrides))
    build = store.Build(
        build_id=f"b-{secrets.token_hex(8)}",
        tenant=principal.tenant,
        name=name,
        recipe=recipe.model_dump(mode="json"),
        actor=principal.id,
        state=store.BuildState.QUEUED,
        done=0,
        total=0,
        version=None,
        problem=None,
    )
    async with database.begin() as transaction:
        await store.add_build(transaction.session, build)
        await transaction.record(
            actor=principal.id,
            tenant=principal.tenant,
            action="dataset.build-requested",
            target=build.build_id,
            details={"name": name, "recipe": recipe.fingerprint()},
        )
    queued.set()
    return build


async def show_build(principal: Principal, build_id: str, *, database: Database) -> store.Build:
    async with database.read() as session:
        build = await store.find_build(session, principal.tenant, build_id)
    if build is None:
        raise UnknownBuild(f"there is no build {build_id!r}", field="build_id")
    return build


async def list_versions(principal: Principal, *, database: Database) -> list[dict[str, Any]]:
    async with database.read() as session:
        return await store.list_manifests(session, principal.tenant)


async def show_version(principal: Principal, version: str, *, database: Database) -> dict[str, Any]:
    async with database.read() as session:
        manifest = await store.find_manifest(session, principal.tenant, version)
    if manifest is None:
        raise UnknownDataset(
            f"there is no dataset version {version!r}",
            field="version",
            mend="List them: curbside datasets list.",
        )
    return manifest


async def trace_report(principal: Principal, code: str, *, database: Database) -> str:
    """The id of the report that versions call `code`. Audited: it leads out of what is released."""
    async with database.begin() as transaction:
        report_id = await store.report_of_code(transaction.session, principal.tenant, code)
        if report_id is None:
            raise UnknownReport(f"no report is called {code!r}", field="code")
        await transaction.record(
            actor=principal.id,
            tenant=principal.tenant,
            action="report.traced",
            target=report_id,
            details={"code": code},
        )
    return report_id


async def show_examples(
    principal: Principal,
    version: str,
    split: str,
    task: str | None,
    limit: int,
    *,
    database: Database,
    blobs: BlobStore,
) -> list[dict[str, Any]]:
    """Rows of a split's Parquet file, of one task where `task` is given; at most `limit`."""
    manifest = await show_version(principal, version, database=database)
    part = manifest["splits"].get(split)
    if part is None:
        raise UnknownSplit(
            f"the version {version!r} has no split {split!r}",
            field="split",
            mend=f"Use one of {', '.join(manifest['splits'])}, of {', '.join(Split)}.",
        )
    data = await blobs.get(BlobRef.from_json(part["blob"]))
    rows = await asyncio.to_thread(from_parquet, data)
    return [row for row in rows if task is None or row["task"] == task][:limit]


async def read_ledger(principal: Principal, *, database: Database) -> store.Yields:
    async with database.read() as session:
        return await store.count_yields(session, principal.tenant, database.ring)
