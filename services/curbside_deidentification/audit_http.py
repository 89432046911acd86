"""What was done here, for an auditor or a privacy officer: acts with their codes and counts, and no text."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from curbside.identity.http import CanReadAudit
from curbside.identity.principal import Principal


class ActBody(BaseModel):
    sequence: int = Field(description="Its place in the chain, which `curbside audit verify` walks.")
    at: str
    actor: str
    action: str
    target: str
    details: dict[str, Any]


class AuditPage(BaseModel):
    acts: list[ActBody]
    next: int | None


def routes(*, listing: Callable[[Principal, int, str, int], Awaitable[Sequence[Any]]]) -> APIRouter:
    router = APIRouter(prefix="/v1/audit")

    @router.get("")
    async def list_audit(
        principal: CanReadAudit,
        after: Annotated[int, Query(ge=0, description="the sequence of the last act that you have")] = 0,
        target: Annotated[str, Query(max_length=256, description="only what was done to it")] = "",
        limit: Annotated[int, Query(ge=1, le=500)] = 50,
    ) -> AuditPage:
        """What was done to reports, reversals and texts, in order."""
        acts = [ActBody(**row._mapping) for row in await listing(principal, after, target, limit)]
        return AuditPage(acts=acts, next=acts[-1].sequence if len(acts) == limit else None)

    return router
