"""The gRPC API of training. Translation only."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

import yaml
from grpc import aio

from curbside.contracts.v1 import training_pb2 as pb
from curbside.contracts.v1 import training_pb2_grpc
from curbside.identity.grpc import current_principal
from curbside.identity.principal import Scope
from curbside.runtime.services import GrpcBinding
from curbside_training.domain.recipe import BadRecipe
from curbside_training.store import Run

_SCOPES: Final = {
    "/curbside.contracts.v1.Training/StartRun": Scope.RUNS_WRITE,
    "/curbside.contracts.v1.Training/GetRun": Scope.RUNS_READ,
}


class TrainingServicer(training_pb2_grpc.TrainingServicer):
    def __init__(
        self,
        start_run: Callable[..., Awaitable[tuple[Run, bool]]],
        show_run: Callable[..., Awaitable[Run]],
    ) -> None:
        self._start_run = start_run
        self._show_run = show_run

    async def StartRun(  # noqa: N802
        self, request: pb.StartRunRequest, context: aio.ServicerContext[Any, Any]
    ) -> pb.Run:
        recipe = _parse(request.recipe_yaml)
        run, _ = await self._start_run(current_principal(), request.dataset_version, recipe, False)
        return _message(run)

    async def GetRun(  # noqa: N802
        self, request: pb.GetRunRequest, context: aio.ServicerContext[Any, Any]
    ) -> pb.Run:
        return _message(await self._show_run(current_principal(), request.run_id))


def binding(servicer: TrainingServicer) -> GrpcBinding:
    return GrpcBinding(training_pb2_grpc.add_TrainingServicer_to_server, servicer, _SCOPES)


def _parse(text: str) -> dict[str, Any]:
    try:
        recipe = yaml.safe_load(text) or {}
    except yaml.YAMLError:
        recipe = None
    if not isinstance(recipe, dict):
        raise BadRecipe("recipe_yaml is no YAML mapping", field="recipe_yaml", mend="Send fields and values.")
    return recipe


def _message(run: Run) -> pb.Run:
    return pb.Run(
        run_id=run.run_id,
        state=run.state.value,
        dataset_version=run.dataset_version,
        step=run.step,
        steps=run.steps,
        loss=run.loss or 0.0,
        model_version=run.model_version or "",
        reason=run.reason or "",
    )
