"""Training's tables and queries: datasets learned of, runs, model versions, aliases."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import JSON, Column, Float, Index, Integer, String, Table, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from curbside.storage.blobs import BlobRef
from curbside.storage.tables import BigId, UtcDateTime, service_metadata
from curbside_training.domain.promotions import Promotion

METADATA = service_metadata()
DATASETS = Table(
    "datasets",
    METADATA,
    Column("version", String(32), primary_key=True),
    Column("tenant", String(64), nullable=False),
    Column("name", String(128), nullable=False),
    Column("manifest", JSON, nullable=False),  # blob reference in safe/
)
RUNS = Table(
    "runs",
    METADATA,
    Column("run_id", String(32), primary_key=True),
    Column("tenant", String(64), nullable=False),
    Column("dataset_version", String(32), nullable=False),
    Column("recipe", JSON, nullable=False),
    Column("actor", String(128), nullable=False),
    Column("state", String(16), nullable=False),
    Column("step", Integer, nullable=False),
    Column("steps", Integer, nullable=False),
    Column("loss", Float, nullable=True),
    Column("phase_done", Integer, nullable=False),
    Column("phase_total", Integer, nullable=False),
    Column("evaluation", JSON, nullable=True),
    Column("model_version", String(32), nullable=True),
    Column("reason", String(128), nullable=True),
    Column("created_at", UtcDateTime(), nullable=False),
    Column("finished_at", UtcDateTime(), nullable=True),
    Index("ix_runs_state", "state", "created_at"),
)
MODELS = Table(
    "models",
    METADATA,
    Column("version", String(32), primary_key=True),
    Column("tenant", String(64), nullable=False),
    Column("run_id", String(32), nullable=False),
    Column("dataset_version", String(32), nullable=False),
    Column("base_model", String(256), nullable=False),
    Column("recipe_hash", String(64), nullable=False),
    Column("evaluation", JSON, nullable=False),
    Column("adapter", JSON, nullable=False),  # blob reference in models/
    Column("created_at", UtcDateTime(), nullable=False),
)
# Every promotion and rollback is kept: the newest of an alias is what it means.
PROMOTIONS = Table(
    "promotions",
    METADATA,
    Column("id", BigId, primary_key=True, autoincrement=True),
    Column("tenant", String(64), nullable=False),
    Column("alias", String(64), nullable=False),
    Column("version", String(32), nullable=False),
    Column("actor", String(128), nullable=False),
    Column("gates", JSON, nullable=False),
    Column("at", UtcDateTime(), nullable=False),
    Index("ix_promotions_alias", "tenant", "alias", "id"),
)


# What stands for the gates' results where a rollback let an alias mean a version again.
ROLLBACK: Final = ("rollback",)


class RunState(StrEnum):
    QUEUED = "queued"
    PREPARING = "preparing"
    TRAINING = "training"
    EVALUATING = "evaluating"
    REGISTERING = "registering"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


ENDED = (RunState.SUCCEEDED, RunState.FAILED)


@dataclass(frozen=True)
class Run:
    run_id: str
    tenant: str
    dataset_version: str
    recipe: Mapping[str, Any]
    actor: str
    state: RunState
    created_at: datetime
    step: int = 0
    steps: int = 0
    loss: float | None = None
    phase_done: int = 0
    phase_total: int = 0
    evaluation: Mapping[str, Any] | None = None
    model_version: str | None = None
    reason: str | None = None
    finished_at: datetime | None = None


@dataclass(frozen=True)
class ModelVersion:
    version: str
    tenant: str
    run_id: str
    dataset_version: str
    base_model: str
    recipe_hash: str
    evaluation: Mapping[str, Any]
    adapter: BlobRef
    created_at: datetime


async def put_dataset(
    session: AsyncSession, *, version: str, tenant: str, name: str, manifest: BlobRef
) -> None:
    found = await session.execute(select(DATASETS.c.version).where(DATASETS.c.version == version))
    if found.first() is None:
        await session.execute(
            insert(DATASETS).values(version=version, tenant=tenant, name=name, manifest=manifest.to_json())
        )


async def find_dataset(session: AsyncSession, tenant: str, version: str) -> BlobRef | None:
    row = (
        await session.execute(
            select(DATASETS.c.manifest).where(DATASETS.c.version == version, DATASETS.c.tenant == tenant)
        )
    ).first()
    return BlobRef.from_json(row.manifest) if row else None


async def add_run(session: AsyncSession, run: Run) -> None:
    await session.execute(
        insert(RUNS).values(
            run_id=run.run_id,
            tenant=run.tenant,
            dataset_version=run.dataset_version,
            recipe=dict(run.recipe),
            actor=run.actor,
            state=run.state,
            step=run.step,
            steps=run.steps,
            phase_done=run.phase_done,
            phase_total=run.phase_total,
            created_at=run.created_at,
        )
    )


async def set_run(session: AsyncSession, run_id: str, **values: Any) -> None:
    await session.execute(update(RUNS).where(RUNS.c.run_id == run_id).values(**values))


async def tell_run(session: AsyncSession, run_id: str, **values: Any) -> None:
    """How far it is; what has ended stays as it is."""
    under_way = RUNS.c.state.not_in(ENDED)
    await session.execute(update(RUNS).where(RUNS.c.run_id == run_id, under_way).values(**values))


async def find_run(session: AsyncSession, tenant: str, run_id: str) -> Run | None:
    row = (
        await session.execute(select(RUNS).where(RUNS.c.run_id == run_id, RUNS.c.tenant == tenant))
    ).first()
    return _run(row) if row else None


async def list_runs(session: AsyncSession, tenant: str) -> list[Run]:
    rows = await session.execute(select(RUNS).where(RUNS.c.tenant == tenant).order_by(RUNS.c.created_at))
    return [_run(row) for row in rows]


async def next_run(session: AsyncSession) -> Run | None:
    """The oldest run that has not ended: one that a killed driver left is resumed before any queued one."""
    rows = (
        await session.execute(select(RUNS).where(RUNS.c.state.not_in(ENDED)).order_by(RUNS.c.created_at))
    ).all()
    begun = [row for row in rows if row.state != RunState.QUEUED]
    waiting = begun or rows
    return _run(waiting[0]) if waiting else None


async def put_model(session: AsyncSession, model: ModelVersion) -> None:
    """Insert, unless a resumed run registered the same version before."""
    found = await session.execute(select(MODELS.c.version).where(MODELS.c.version == model.version))
    if found.first() is None:
        await session.execute(
            insert(MODELS).values(
                version=model.version,
                tenant=model.tenant,
                run_id=model.run_id,
                dataset_version=model.dataset_version,
                base_model=model.base_model,
                recipe_hash=model.recipe_hash,
                evaluation=dict(model.evaluation),
                adapter=model.adapter.to_json(),
                created_at=model.created_at,
            )
        )


async def find_model(session: AsyncSession, tenant: str, version: str) -> ModelVersion | None:
    row = (
        await session.execute(select(MODELS).where(MODELS.c.version == version, MODELS.c.tenant == tenant))
    ).first()
    return _model(row) if row else None


async def list_models(session: AsyncSession, tenant: str) -> list[ModelVersion]:
    rows = await session.execute(
        select(MODELS).where(MODELS.c.tenant == tenant).order_by(MODELS.c.created_at)
    )
    return [_model(row) for row in rows]


async def promotions(session: AsyncSession, tenant: str, alias: str) -> list[Promotion]:
    """The history of `alias`, oldest first."""
    rows = await session.execute(
        select(PROMOTIONS.c.version, PROMOTIONS.c.gates)
        .where(PROMOTIONS.c.tenant == tenant, PROMOTIONS.c.alias == alias)
        .order_by(PROMOTIONS.c.id)
    )
    return [Promotion(row.version, back=row.gates == list(ROLLBACK)) for row in rows]


async def aliases(session: AsyncSession, tenant: str) -> dict[str, str]:
    """The version that each alias means."""
    rows = await session.execute(
        select(PROMOTIONS.c.alias, PROMOTIONS.c.version)
        .where(PROMOTIONS.c.tenant == tenant)
        .order_by(PROMOTIONS.c.id)
    )
    return {row.alias: row.version for row in rows}


async def add_promotion(
    session: AsyncSession, *, tenant: str, alias: str, version: str, actor: str, gates: list[str]
) -> None:
    await session.execute(
        insert(PROMOTIONS).values(
            tenant=tenant, alias=alias, version=version, actor=actor, gates=gates, at=datetime.now(UTC)
        )
    )


def _run(row: Any) -> Run:
    values = dict(row._mapping)
    return Run(**{**values, "state": RunState(values["state"])})


def _model(row: Any) -> ModelVersion:
    values = dict(row._mapping)
    return ModelVersion(**{**values, "adapter": BlobRef.from_json(values["adapter"])})
