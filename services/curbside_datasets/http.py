"""The HTTP API of datasets. Translation only."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from curbside.contracts.tasks import Task
from curbside.identity.http import CanBuildDatasets, CanReadDatasets
from curbside_datasets.store import Build, Yields


class BuildRequest(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]*$")
    recipe: dict[str, Any] = Field(
        default_factory=dict, description="Fields that differ from the default recipe."
    )


class BuildAnswer(BaseModel):
    build_id: str
    name: str
    state: Literal["queued", "building", "published", "failed"]
    done: int
    total: int
    version: str | None
    problem: dict[str, Any] | None


class TracedAnswer(BaseModel):
    report_id: str


class LedgerAnswer(BaseModel):
    reports: int
    with_examples: int
    without_examples: dict[str, int]
    examples: int
    by_task: dict[str, int]


def routes(
    *,
    request_build: Callable[..., Awaitable[Build]],
    show_build: Callable[..., Awaitable[Build]],
    list_versions: Callable[..., Awaitable[list[dict[str, Any]]]],
    show_version: Callable[..., Awaitable[dict[str, Any]]],
    show_examples: Callable[..., Awaitable[list[dict[str, Any]]]],
    trace_report: Callable[..., Awaitable[str]],
    ledger: Callable[..., Awaitable[Yields]],
    max_page: int,
) -> APIRouter:
    router = APIRouter()

    @router.post("/v1/builds", status_code=202)
    async def post_build(body: BuildRequest, principal: CanBuildDatasets) -> BuildAnswer:
        return _build(await request_build(principal, body.name, body.recipe))

    @router.get("/v1/builds/{build_id}")
    async def get_build(build_id: str, principal: CanReadDatasets) -> BuildAnswer:
        return _build(await show_build(principal, build_id))

    @router.get("/v1/versions")
    async def get_versions(principal: CanReadDatasets) -> dict[str, list[dict[str, Any]]]:
        return {"versions": await list_versions(principal)}

    @router.get("/v1/versions/{version}")
    async def get_version(version: str, principal: CanReadDatasets) -> dict[str, Any]:
        return await show_version(principal, version)

    @router.get("/v1/versions/{version}/examples")
    async def get_examples(
        version: str,
        principal: CanReadDatasets,
        split: str = "train",
        task: Task | None = None,
        limit: Annotated[int, Query(ge=1, le=max_page)] = 50,
    ) -> dict[str, list[dict[str, Any]]]:
        return {"examples": await show_examples(principal, version, split, task and task.value, limit)}

    @router.get("/v1/reports/{code}")
    async def get_report(code: str, principal: CanBuildDatasets) -> TracedAnswer:
        """The id of the report that versions call by a code. Each look is audited."""
        return TracedAnswer(report_id=await trace_report(principal, code))

    @router.get("/v1/ledger")
    async def get_ledger(principal: CanReadDatasets) -> LedgerAnswer:
        yields = await ledger(principal)
        return LedgerAnswer(
            reports=yields.reports,
            with_examples=yields.with_examples,
            without_examples=dict(yields.without_examples),
            examples=sum(yields.by_task.values()),
            by_task=dict(yields.by_task),
        )

    return router


def _build(build: Build) -> BuildAnswer:
    return BuildAnswer(
        build_id=build.build_id,
        name=build.name,
        state=build.state.value,
        done=build.done,
        total=build.total,
        version=build.version,
        problem=dict(build.problem) if build.problem else None,
    )
