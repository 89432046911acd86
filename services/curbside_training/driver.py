"""The training driver: a process that claims runs, tunes, evaluates and registers.

Killed at any moment and started again, it goes on with the run it was at, from its last checkpoint. Ray
runs only while a run does, so an idle driver is small.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Protocol

from filelock import FileLock

from curbside.contracts.events import new_event
from curbside.contracts.v1 import events_pb2
from curbside.errors import CurbsideError, Unavailable
from curbside.runtime.platform import key_ring, open_blobs, open_database, state_directory
from curbside.runtime.services import load_package
from curbside.settings import RuntimeSettings, load, set_process_environment
from curbside.storage.blobs import BlobStore
from curbside.storage.database import Database
from curbside.storage.zones import Zone
from curbside_training import store
from curbside_training.domain.recipe import Recipe
from curbside_training.materials import Materials, pack_adapter, read_materials
from curbside_training.settings import TrainingSettings

log = logging.getLogger(__name__)
HEARTBEAT: Final = "driver.alive"
_TELL_SECONDS: Final = 1.0


@dataclass(frozen=True)
class Outcome:
    """What the work of a run made: the adapter's directory and the evaluation in its JSON form."""

    adapter: Path
    evaluation: Mapping[str, Any]


@dataclass
class Standing:
    """Where a run stands, written by the working thread and told to the database every second."""

    state: store.RunState = store.RunState.PREPARING
    values: dict[str, Any] = field(default_factory=dict)

    def enter(self, state: store.RunState) -> None:
        self.state = state
        self.values = {**self.values, "phase_done": 0, "phase_total": 0}

    def say(self, **values: Any) -> None:
        self.values = {**self.values, **values}


class Work(Protocol):
    """Tune and evaluate; blocking. `tune_and_evaluate` is the real one."""

    def __call__(
        self,
        recipe: Recipe,
        materials: Materials,
        *,
        run_id: str,
        directory: Path,
        standing: Standing,
    ) -> Outcome: ...


def run_driver(runtime: RuntimeSettings) -> None:
    """Drive runs until SIGTERM. One driver works on a data directory at a time; another waits."""
    settings = load(TrainingSettings)
    state = state_directory(runtime)
    with FileLock(state / "driver.lock"):
        ring = key_ring(runtime)
        package = load_package("training")
        database = open_database(runtime, ring, package)
        blobs = open_blobs(runtime, ring, "training")
        work = _real_work(runtime, settings)
        asyncio.run(_drive(database, blobs, work, settings, runtime, state / HEARTBEAT))


async def _drive(
    database: Database,
    blobs: BlobStore,
    work: Work,
    settings: TrainingSettings,
    runtime: RuntimeSettings,
    heartbeat: Path,
) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, _leave)
    beating = asyncio.create_task(_beat(heartbeat))
    try:
        while True:
            try:
                async with database.read() as session:
                    run = await store.next_run(session)
                if run is not None:
                    async with database.alone("driver"):
                        async with database.read() as session:
                            run = await store.next_run(session)  # another may have ended it meanwhile
                        if run is not None:
                            await carry_out(
                                run,
                                database=database,
                                blobs=blobs,
                                work=work,
                                settings=settings,
                                directory=settings.runs_directory(runtime) / run.run_id,
                            )
                    continue
            except Unavailable as error:
                log.warning("the driver waits", extra={"error": error.code})
            await asyncio.sleep(settings.driver_poll.total_seconds())
    finally:
        beating.cancel()


def _leave() -> None:
    """End at once: what a run had checkpointed is resumed by the next driver."""
    if "ray" in sys.modules:
        import ray

        with suppress(Exception):
            ray.shutdown()
    os._exit(0)


async def _beat(heartbeat: Path) -> None:
    while True:
        await asyncio.to_thread(heartbeat.touch)
        await asyncio.sleep(1)


async def carry_out(
    run: store.Run,
    *,
    database: Database,
    blobs: BlobStore,
    work: Work,
    settings: TrainingSettings,
    directory: Path,
) -> None:
    """Take `run` to its end: a registered model version, or a failure with its reason."""
    standing = Standing()
    telling = asyncio.create_task(_tell(run.run_id, standing, database))
    try:
        outcome = await _work(run, standing, database, blobs, work, settings, directory)
        standing.enter(store.RunState.REGISTERING)
        ending: tuple[store.ModelVersion | None, str] = (await _register(run, outcome, blobs), "")
    except Unavailable:
        raise  # what is down comes back, and the run resumes
    except Exception as error:
        log.exception("run failed", extra={"run": run.run_id})
        said = f"{error.code}: {error.message}" if isinstance(error, CurbsideError) else type(error).__name__
        ending = (None, said)
    finally:
        telling.cancel()
        with suppress(asyncio.CancelledError):
            await telling
    await _end(run, *ending, standing=standing, database=database)


async def _work(
    run: store.Run,
    standing: Standing,
    database: Database,
    blobs: BlobStore,
    work: Work,
    settings: TrainingSettings,
    directory: Path,
) -> Outcome:
    async with database.read() as session:
        manifest = await store.find_dataset(session, run.tenant, run.dataset_version)
    if manifest is None:
        raise CurbsideError(f"the dataset {run.dataset_version} is gone")
    materials = await read_materials(
        manifest,
        blobs=blobs,
        max_test=settings.max_test_questions,
        max_holdout=settings.max_holdout_questions,
    )
    recipe = Recipe.model_validate(run.recipe)
    return await asyncio.to_thread(
        work, recipe, materials, run_id=run.run_id, directory=directory, standing=standing
    )


async def _tell(run_id: str, standing: Standing, database: Database) -> None:
    told: tuple[store.RunState, dict[str, Any]] | None = None
    while True:
        now = (standing.state, standing.values)
        if now != told:
            with suppress(Unavailable):
                async with database.begin() as transaction:
                    await store.tell_run(transaction.session, run_id, state=now[0], **now[1])
                told = now
        await asyncio.sleep(_TELL_SECONDS)


async def _register(run: store.Run, outcome: Outcome, blobs: BlobStore) -> store.ModelVersion:
    packed = await asyncio.to_thread(pack_adapter, outcome.adapter)
    recipe = Recipe.model_validate(run.recipe)
    lineage = hashlib.sha256(packed + run.dataset_version.encode() + recipe.fingerprint().encode())
    return store.ModelVersion(
        version=f"mv-{lineage.hexdigest()[:12]}",
        tenant=run.tenant,
        run_id=run.run_id,
        dataset_version=run.dataset_version,
        base_model=recipe.base_model,
        recipe_hash=recipe.fingerprint(),
        evaluation=outcome.evaluation,
        adapter=await blobs.put(Zone.MODELS, packed, tenant=run.tenant),
        created_at=datetime.now(UTC),
    )


async def _end(
    run: store.Run, model: store.ModelVersion | None, reason: str, *, standing: Standing, database: Database
) -> None:
    state = store.RunState.SUCCEEDED if model is not None else store.RunState.FAILED
    metrics = _headline(model.evaluation) if model is not None else {}
    payload = events_pb2.RunFinished(
        run_id=run.run_id,
        dataset_version=run.dataset_version,
        outcome=state.value,
        model_version=model.version if model is not None else "",
        reason=reason.partition(":")[0],
        metrics=metrics,
    )
    async with database.begin() as transaction:
        if model is not None:
            await store.put_model(transaction.session, model)
        await store.set_run(
            transaction.session,
            run.run_id,
            **{
                **standing.values,
                "state": state,
                "reason": reason[:128] or None,
                "evaluation": dict(model.evaluation) if model is not None else None,
                "model_version": model.version if model is not None else None,
                "finished_at": datetime.now(UTC),
            },
        )
        await transaction.publish(new_event(payload, tenant=run.tenant))
        await transaction.record(
            actor="training driver",
            tenant=run.tenant,
            action=f"run.{state}",
            target=run.run_id,
            details={"model": model.version if model is not None else "", "reason": reason.partition(":")[0]},
        )


def _headline(evaluation: Mapping[str, Any]) -> dict[str, float]:
    tuned = evaluation["groups"]["held_out"]["tuned"]
    names = ("rouge_l", "diagnosis_accuracy", "comparison_accuracy", "perplexity")
    return {name: tuned[name]["value"] for name in names if tuned[name]["value"] is not None}


def _real_work(runtime: RuntimeSettings, settings: TrainingSettings) -> Work:
    from functools import partial

    return partial(tune_and_evaluate, cache=runtime.cache, ray_address=settings.ray_address)


def tune_and_evaluate(
    recipe: Recipe,
    materials: Materials,
    *,
    run_id: str,
    directory: Path,
    standing: Standing,
    cache: Path,
    ray_address: str | None,
) -> Outcome:
    """The real work: Ray Train, then base and tuned side by side. Blocking, minutes to days."""
    from curbside.models import base_model_directory
    from curbside_training.evaluate import EvaluationProgress, evaluate, evaluate_on_ray
    from curbside_training.finetune import Progress, finetune

    base_model = _local(base_model_directory(recipe.base_model, cache))
    # Not HF_HUB_OFFLINE, which Ray's workers have: this process may have another run's base to fetch.
    set_process_environment(TOKENIZERS_PARALLELISM="false")
    standing.enter(store.RunState.TRAINING)

    def trained(progress: Progress) -> None:
        standing.say(step=progress.step, steps=progress.total, loss=progress.loss)

    tuned = finetune(
        recipe,
        materials.train,
        materials.validation,
        base_model=base_model,
        run_directory=directory,
        run_id=run_id,
        on_progress=trained,
        ray_address=ray_address,
    )
    standing.enter(store.RunState.EVALUATING)
    answered: dict[str, int] = {}

    def asked(progress: EvaluationProgress) -> None:
        answered[progress.variant] = progress.answered
        standing.say(phase_done=sum(answered.values()), phase_total=2 * progress.total)

    if ray_address:
        evaluated = evaluate_on_ray(
            materials.held_out,
            recipe=recipe,
            base_model=base_model,
            adapter=tuned.adapter,
            train=materials.train,
            run_id=run_id,
            ray_address=ray_address,
            on_progress=asked,
        )
    else:
        evaluated = evaluate(
            materials.held_out,
            base_model=base_model,
            adapter=tuned.adapter,
            train=materials.train,
            max_tokens=recipe.max_tokens,
            use_gpu=recipe.use_gpu,
            on_progress=asked,
        )
    measured = evaluated.json()
    evaluation = {
        "groups": measured["measures"],
        "samples": measured["samples"],
        "too_long": {"train": len(tuned.too_long), "held_out": len(measured["too_long"])},
        "training": {"seconds": tuned.seconds, "reports": tuned.reports, "examples": tuned.examples},
    }
    return Outcome(tuned.adapter, evaluation)


def _local(base_model: Path | str) -> Path | str:
    """A hub id is fetched before the process goes offline, so that workers find it in the cache."""
    if isinstance(base_model, Path):
        return base_model
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(base_model))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise CurbsideError(
            f"the base model {base_model!r} cannot be fetched ({type(error).__name__})",
            mend="Set CURBSIDE_RUNTIME__BASE_MODEL to 'embedded' or to a directory.",
        ) from None
