"""The API of reversals: ask, list, approve or decline, read once. Translation only."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from curbside.identity.http import CanReverse
from curbside.identity.principal import Principal
from curbside.phi import PhiText
from curbside_deidentification.reversal import Kind
from curbside_deidentification.store import Reversal

ReversalId = Annotated[str, Path(pattern=r"^v-[0-9a-f]{24}$")]
Act = Callable[[Principal, str], Awaitable[Reversal]]


class ReversalRequest(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    kind: Kind
    id: str = Field(pattern=r"^[A-Za-z0-9-]{1,64}$", description="Of the report, or of the opinion.")
    # A code, not prose: it stands in the audit, where patient text must not.
    reason: str = Field(pattern=r"^[a-z][a-z0-9.-]{0,63}$", examples=["safety.recall", "patient.request"])


class ReversalBody(BaseModel):
    reversal_id: str
    kind: Kind
    id: str
    reason: str
    state: str
    requested_by: str
    requested_at: datetime
    expires_at: datetime = Field(description="When approval, or after it the reading, comes too late.")
    decided_by: str | None
    read_at: datetime | None


class ReversalPage(BaseModel):
    reversals: list[ReversalBody]
    next: str | None


class ReadBody(ReversalBody):
    text: str = Field(description="With the originals in it: PHI.")


def routes(
    *,
    request: Callable[[Principal, Kind, str, str], Awaitable[Reversal]],
    listing: Callable[[Principal, str, int], Awaitable[Sequence[Reversal]]],
    approve: Act,
    decline: Act,
    read: Callable[[Principal, str], Awaitable[tuple[Reversal, PhiText]]],
) -> APIRouter:
    router = APIRouter(prefix="/v1/reversals")

    @router.post("", status_code=201)
    async def request_reversal(principal: CanReverse, body: ReversalRequest) -> ReversalBody:
        """Ask that a stored report or opinion be turned back. Somebody else has to approve it."""
        return ReversalBody(**_body(await request(principal, body.kind, body.id, body.reason)))

    @router.get("")
    async def list_reversals(
        principal: CanReverse,
        after: Annotated[str, Query(max_length=32)] = "",
        limit: Annotated[int, Query(ge=1, le=500)] = 50,
    ) -> ReversalPage:
        """Reversals by id, without any text."""
        found = [ReversalBody(**_body(one)) for one in await listing(principal, after, limit)]
        return ReversalPage(reversals=found, next=found[-1].reversal_id if len(found) == limit else None)

    @router.post("/{reversal_id}/approve")
    async def approve_reversal(principal: CanReverse, reversal_id: ReversalId) -> ReversalBody:
        """Agree to what somebody else asked for."""
        return ReversalBody(**_body(await approve(principal, reversal_id)))

    @router.post("/{reversal_id}/decline")
    async def decline_reversal(principal: CanReverse, reversal_id: ReversalId) -> ReversalBody:
        """Refuse a request, or take one's own back."""
        return ReversalBody(**_body(await decline(principal, reversal_id)))

    @router.post("/{reversal_id}/read")
    async def read_reversal(principal: CanReverse, reversal_id: ReversalId, response: Response) -> ReadBody:
        """The text as it was, once, to whoever asked."""
        reversal, text = await read(principal, reversal_id)
        response.headers["cache-control"] = "no-store"
        return ReadBody(**_body(reversal), text=text.reveal())

    return router


def _body(reversal: Reversal) -> dict[str, object]:
    return {
        "reversal_id": reversal.reversal_id,
        "kind": reversal.kind,
        "id": reversal.target,
        "reason": reversal.reason,
        "state": reversal.state.value,
        "requested_by": reversal.requested_by,
        "requested_at": reversal.requested_at,
        "expires_at": reversal.expires_at,
        "decided_by": reversal.decided_by,
        "read_at": reversal.read_at,
    }
