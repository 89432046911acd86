"""The corpus of reviewed reports, replayed for an operator: counts and ids, and no text."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel

from curbside.identity.http import CanOperate
from curbside.identity.principal import Principal
from curbside_deidentification.domain.regression import Held
from curbside_deidentification.regression import Replayed


class Counts(BaseModel):
    found: dict[str, int]  # mentions, by category
    missed: dict[str, int]
    right: int  # detected spans that are PHI
    needless: int


class ReplayedReport(BaseModel):
    report_id: str
    now: Counts
    at_review: Counts
    failed: str | None
    worse: bool


class RegressionPage(BaseModel):
    policy: str
    reports: list[ReplayedReport]
    next: str | None


def routes(
    *,
    replay: Callable[[Principal, str, int], Awaitable[tuple[Sequence[Replayed], str | None]]],
    policy: str,
) -> APIRouter:
    router = APIRouter(prefix="/v1/regression")

    @router.post("")
    async def replay_corpus(
        principal: CanOperate,
        after: Annotated[str, Query(max_length=64)] = "",
        # 20: they are read before the answer, and the longest text takes a worker 7 s.
        limit: Annotated[int, Query(ge=1, le=20)] = 20,
    ) -> RegressionPage:
        """Read the next reviewed reports again with today's detector, and count against the review."""
        replayed, further = await replay(principal, after, limit)
        return RegressionPage(
            policy=policy,
            reports=[
                ReplayedReport(
                    report_id=one.report_id,
                    now=_counts(one.now),
                    at_review=_counts(one.at_review),
                    failed=one.failed,
                    worse=one.worse,
                )
                for one in replayed
            ],
            next=further,
        )

    return router


def _counts(held: Held) -> Counts:
    return Counts(
        found={str(category): count for category, count in sorted(held.found.items())},
        missed={str(category): count for category, count in sorted(held.missed.items())},
        right=held.right,
        needless=held.needless,
    )
