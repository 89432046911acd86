"""The HTTP API of training. Translation only."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Body, Response
from pydantic import BaseModel, ConfigDict, Field

from curbside.identity.http import CanPromote, CanReadModels, CanReadRuns, CanTrain
from curbside_training.store import ModelVersion, Run, RunState

Alias = Annotated[str, Field(default="production", pattern=r"^[a-z][a-z0-9-]{0,62}$")]


class RunRequest(BaseModel):
    model_config = ConfigDict(extra="forbid")

    dataset_version: str = Field(min_length=1, max_length=64)
    recipe: dict[str, Any] = Field(
        default_factory=dict, description="Fields that differ from the default recipe."
    )
    force: bool = Field(default=False, description="A new run even where one of the same recipe exists.")


class AliasRequest(BaseModel):
    model_config = ConfigDict(extra="forbid")

    alias: Alias


class RunAnswer(BaseModel):
    run_id: str
    state: RunState
    dataset_version: str
    recipe: dict[str, Any]
    step: int
    steps: int
    loss: float | None
    phase_done: int
    phase_total: int
    evaluation: dict[str, Any] | None
    model_version: str | None
    reason: str | None
    created_at: datetime
    finished_at: datetime | None


class ModelAnswer(BaseModel):
    version: str
    aliases: list[str]
    run_id: str
    dataset_version: str
    base_model: str
    recipe_hash: str
    evaluation: dict[str, Any]
    created_at: datetime


def routes(
    *,
    start_run: Callable[..., Awaitable[tuple[Run, bool]]],
    show_run: Callable[..., Awaitable[Run]],
    list_runs: Callable[..., Awaitable[list[Run]]],
    list_models: Callable[..., Awaitable[tuple[list[ModelVersion], dict[str, str]]]],
    show_model: Callable[..., Awaitable[tuple[ModelVersion, dict[str, str]]]],
    promote: Callable[..., Awaitable[list[str]]],
    rollback: Callable[..., Awaitable[str]],
) -> APIRouter:
    router = APIRouter()

    @router.post("/v1/runs", status_code=202, description="202 where it is queued now, 200 where it exists.")
    async def post_run(body: RunRequest, principal: CanTrain, response: Response) -> RunAnswer:
        run, queued = await start_run(principal, body.dataset_version, body.recipe, body.force)
        response.status_code = 202 if queued else 200
        return _run(run)

    @router.get("/v1/runs")
    async def get_runs(principal: CanReadRuns) -> dict[str, list[RunAnswer]]:
        return {"runs": [_run(run) for run in await list_runs(principal)]}

    @router.get("/v1/runs/{run_id}")
    async def get_run(run_id: str, principal: CanReadRuns) -> RunAnswer:
        return _run(await show_run(principal, run_id))

    @router.get("/v1/models")
    async def get_models(principal: CanReadModels) -> dict[str, list[ModelAnswer]]:
        models, aliases = await list_models(principal)
        return {"models": [_model(model, aliases) for model in models]}

    @router.post("/v1/models/rollback")
    async def post_rollback(principal: CanPromote, body: Annotated[AliasRequest, Body()]) -> dict[str, str]:
        return {"alias": body.alias, "version": await rollback(principal, body.alias)}

    @router.get("/v1/models/{version}")
    async def get_model(version: str, principal: CanReadModels) -> ModelAnswer:
        return _model(*await show_model(principal, version))

    @router.post("/v1/models/{version}/promote")
    async def post_promote(
        version: str, principal: CanPromote, body: Annotated[AliasRequest, Body()]
    ) -> dict[str, Any]:
        gates = await promote(principal, version, body.alias)
        return {"version": version, "alias": body.alias, "gates": gates}

    return router


def _run(run: Run) -> RunAnswer:
    fields = {name: getattr(run, name) for name in RunAnswer.model_fields}
    return RunAnswer.model_validate(fields)


def _model(model: ModelVersion, aliases: dict[str, str]) -> ModelAnswer:
    names = sorted(alias for alias, version in aliases.items() if version == model.version)
    fields = {name: getattr(model, name) for name in ModelAnswer.model_fields if name != "aliases"}
    return ModelAnswer.model_validate({**fields, "aliases": names})
