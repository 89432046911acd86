"""What training does with an event and with each request. The work itself is the driver's."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from curbside.contracts.events import Event, new_event
from curbside.contracts.v1 import events_pb2
from curbside.errors import Conflict, GateFailed, NotFound, Unavailable
from curbside.identity import Principal
from curbside.storage.blobs import BlobRef
from curbside.storage.database import Database, Transaction
from curbside_training import store
from curbside_training.domain.gates import judge, policy_hash
from curbside_training.domain.promotions import standing
from curbside_training.domain.recipe import BadRecipe, Recipe


class UnknownDataset(NotFound):
    code = "training.unknown-dataset"


class UnknownRun(NotFound):
    code = "training.unknown-run"


class UnknownModel(NotFound):
    code = "training.unknown-model"


class NothingToRollBack(Conflict):
    code = "training.nothing-to-roll-back"


class OtherBaseModel(Conflict):
    """The engine serves one base model; the adapter of another would not load, or would answer nonsense."""

    code = "training.other-base-model"


async def learn_dataset(
    event: Event, *, database: Database, group: str, base_model: str, auto_train: bool
) -> None:
    """Remember a published dataset; queue a run of the default recipe where that is wished."""
    payload = event.payload
    assert isinstance(payload, events_pb2.DatasetPublished)
    async with database.begin() as transaction:
        if not await transaction.first_time(event, group):
            return
        await store.put_dataset(
            transaction.session,
            version=payload.version,
            tenant=event.tenant,
            name=payload.name,
            manifest=BlobRef.from_message(payload.manifest),
        )
        if auto_train:
            recipe = recipe_from({}, base_model)
            await _queue(transaction, event.tenant, "training", payload.version, recipe, force=False)


def recipe_from(overrides: Mapping[str, Any], base_model: str) -> Recipe:
    """The default recipe with `overrides`; raises BadRecipe naming the first wrong field."""
    try:
        return Recipe.model_validate({"base_model": base_model, **overrides})
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(("recipe", *(str(part) for part in first["loc"])))
        raise BadRecipe(f"{field}: {first['msg']}", field=field, mend="Correct the field.") from None


async def start_run(
    principal: Principal,
    dataset_version: str,
    overrides: Mapping[str, Any],
    force: bool,
    *,
    database: Database,
    base_model: str,
) -> tuple[store.Run, bool]:
    """The run of this dataset and recipe, and whether it was queued now.

    The same request gives the same run; a failed one is queued again, and resumes at its last checkpoint.
    With `force` it is a new run.
    """
    recipe = recipe_from(overrides, base_model)
    async with database.begin() as transaction:
        if await store.find_dataset(transaction.session, principal.tenant, dataset_version) is None:
            raise UnknownDataset(
                f"training knows no dataset version {dataset_version!r}",
                field="dataset_version",
                mend="List them with `curbside datasets list`; a new one arrives within seconds.",
            )
        return await _queue(transaction, principal.tenant, principal.id, dataset_version, recipe, force=force)


async def _queue(
    transaction: Transaction, tenant: str, actor: str, dataset_version: str, recipe: Recipe, *, force: bool
) -> tuple[store.Run, bool]:
    salt = secrets.token_hex(8) if force else ""
    identity = f"{tenant}:{dataset_version}:{recipe.fingerprint()}:{salt}"
    run_id = f"run-{hashlib.sha256(identity.encode()).hexdigest()[:12]}"
    existing = await store.find_run(transaction.session, tenant, run_id)
    if existing is not None and existing.state is not store.RunState.FAILED:
        return existing, False
    if existing is None:
        run = store.Run(
            run_id=run_id,
            tenant=tenant,
            dataset_version=dataset_version,
            recipe=recipe.model_dump(mode="json"),
            actor=actor,
            state=store.RunState.QUEUED,
            created_at=datetime.now(UTC),
        )
        await store.add_run(transaction.session, run)
    else:
        await store.set_run(
            transaction.session, run_id, state=store.RunState.QUEUED, reason=None, finished_at=None
        )
        run = existing
    await transaction.record(
        actor=actor,
        tenant=tenant,
        action="run.queued",
        target=run_id,
        details={"dataset": dataset_version, "recipe": recipe.fingerprint()},
    )
    return run, True


async def show_run(principal: Principal, run_id: str, *, database: Database) -> store.Run:
    async with database.read() as session:
        run = await store.find_run(session, principal.tenant, run_id)
    if run is None:
        raise UnknownRun(f"there is no run {run_id!r}", field="run_id", mend="List them: curbside runs.")
    return run


async def list_runs(principal: Principal, *, database: Database) -> list[store.Run]:
    async with database.read() as session:
        return await store.list_runs(session, principal.tenant)


async def list_models(
    principal: Principal, *, database: Database
) -> tuple[list[store.ModelVersion], dict[str, str]]:
    """Model versions, and what each alias means."""
    async with database.read() as session:
        return (
            await store.list_models(session, principal.tenant),
            await store.aliases(session, principal.tenant),
        )


async def show_model(
    principal: Principal, version: str, *, database: Database
) -> tuple[store.ModelVersion, dict[str, str]]:
    async with database.read() as session:
        model = await store.find_model(session, principal.tenant, version)
        if model is None:
            raise _unknown(version)
        return model, await store.aliases(session, principal.tenant)


async def promote(
    principal: Principal, version: str, alias: str, *, database: Database, base_model: str
) -> list[str]:
    """Let `alias` mean `version`, where it passes every gate; what the gates said.

    Promoting what the alias means already does nothing. Raises OtherBaseModel where `version` was not trained
    on `base_model`, which the engine serves; GateFailed with every figure.
    """
    async with database.begin() as transaction:
        model = await store.find_model(transaction.session, principal.tenant, version)
        if model is None:
            raise _unknown(version)
        _check_base(model, base_model)
        results = judge(model.evaluation)
        said = [str(result) for result in results]
        if not all(result.passed for result in results):
            failed = [str(result) for result in results if not result.passed]
            raise GateFailed(
                f"{version} does not pass: {'; '.join(failed)}",
                field="version",
                mend="Train on more or better reports, or on another recipe.",
                gates=said,
            )
        stack = standing(await store.promotions(transaction.session, principal.tenant, alias))
        if stack[-1:] != [version]:
            await _promote(transaction, principal, model, alias, said, "model.promoted")
        return said


async def rollback(principal: Principal, alias: str, *, database: Database, base_model: str) -> str:
    """Let `alias` mean the version that stands before the one it means now; that version.

    Raises NothingToRollBack where there is none, OtherBaseModel as `promote` does.
    """
    async with database.begin() as transaction:
        stack = standing(await store.promotions(transaction.session, principal.tenant, alias))
        model = (
            await store.find_model(transaction.session, principal.tenant, stack[-2])
            if len(stack) > 1
            else None
        )
        if model is None:
            raise NothingToRollBack(
                f"nothing was promoted to {alias!r} before", field="alias", mend="Promote a version instead."
            )
        _check_base(model, base_model)
        await _promote(transaction, principal, model, alias, list(store.ROLLBACK), "model.rolled-back")
        return model.version


def _check_base(model: store.ModelVersion, base_model: str) -> None:
    if model.base_model != base_model:
        raise OtherBaseModel(
            f"{model.version} was trained on {model.base_model!r}, and the engine serves {base_model!r}",
            field="version",
            mend=f"Train a version on {base_model!r}, or set CURBSIDE_RUNTIME__BASE_MODEL to "
            f"{model.base_model!r} and start the services again.",
        )


async def _promote(
    transaction: Transaction,
    principal: Principal,
    model: store.ModelVersion,
    alias: str,
    gates: list[str],
    action: str,
) -> None:
    await store.add_promotion(
        transaction.session,
        tenant=principal.tenant,
        alias=alias,
        version=model.version,
        actor=principal.id,
        gates=gates,
    )
    payload = events_pb2.ModelPromoted(
        model_version=model.version,
        alias=alias,
        base_model=model.base_model,
        adapter=model.adapter.to_message(),
        dataset_version=model.dataset_version,
    )
    await transaction.publish(new_event(payload, tenant=principal.tenant))
    await transaction.record(
        actor=principal.id,
        tenant=principal.tenant,
        action=action,
        target=model.version,
        details={"alias": alias, "gates": gates, "policy": policy_hash()},
    )


async def check_driver(*, heartbeat: Path, silence: timedelta) -> None:
    """Raise Unavailable where the training driver has been silent."""
    try:
        age = time.time() - (await asyncio.to_thread(heartbeat.stat)).st_mtime
    except OSError:
        age = float("inf")
    if age > silence.total_seconds():
        raise Unavailable("the training driver does not answer", mend="See logs/driver.log.")


def _unknown(version: str) -> UnknownModel:
    return UnknownModel(
        f"there is no model version {version!r}", field="version", mend="List them: curbside models list."
    )
