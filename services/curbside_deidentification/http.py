"""The review API: list, show, release and reject what is in quarantine."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from curbside.identity.http import CanReview
from curbside.identity.principal import Principal
from curbside_deidentification.handlers import Quarantined

ReportId = Annotated[str, Path(pattern=r"^[A-Za-z0-9-]{1,64}$")]


class QuarantinedReport(BaseModel):
    report_id: str
    reason: str
    risk: float
    policy: str
    report_type: str
    source: str
    spans_by_category: dict[str, int]
    releasable: bool
    quarantined_at: str


class ShownSpan(BaseModel):
    start: int
    end: int
    category: str
    score: float
    recogniser: str


class ShownReport(QuarantinedReport):
    text: str
    replaced: str
    spans: list[ShownSpan]


class QuarantinePage(BaseModel):
    reports: list[QuarantinedReport]
    next: str | None


class Rejection(BaseModel):
    # A code, not prose: it travels in an event, where patient text must not.
    reason: str = Field(pattern=r"^[a-z][a-z0-9.-]{0,63}$", examples=["reviewer.not-a-report"])


class Decision(BaseModel):
    report_id: str
    state: str


def routes(
    *,
    listing: Callable[[Principal, str, int], Awaitable[Sequence[Any]]],
    show: Callable[[Principal, str], Awaitable[Quarantined]],
    release: Callable[[Principal, str], Awaitable[None]],
    reject: Callable[[Principal, str, str], Awaitable[None]],
) -> APIRouter:
    router = APIRouter(prefix="/v1/quarantine")

    @router.get("")
    async def list_quarantine(
        principal: CanReview,
        after: Annotated[str, Query(max_length=64)] = "",
        limit: Annotated[int, Query(ge=1, le=500)] = 50,
    ) -> QuarantinePage:
        """Quarantined reports by id, without their text."""
        rows = await listing(principal, after, limit)
        reports = [QuarantinedReport(**_summary(row)) for row in rows]
        return QuarantinePage(reports=reports, next=reports[-1].report_id if len(reports) == limit else None)

    @router.get("/{report_id}")
    async def show_report(principal: CanReview, report_id: ReportId) -> ShownReport:
        """A quarantined report with its text and what was found in it. Each look is audited."""
        shown = await show(principal, report_id)
        return ShownReport(
            **_summary(shown.row),
            text=shown.text.reveal(),
            replaced=shown.replaced.reveal(),
            spans=[
                ShownSpan(
                    start=span.start,
                    end=span.end,
                    category=span.category,
                    score=span.score,
                    recogniser=span.recogniser,
                )
                for span in shown.spans
            ],
        )

    @router.post("/{report_id}/release")
    async def release_report(principal: CanReview, report_id: ReportId) -> Decision:
        """Pass the replaced text on to datasets."""
        await release(principal, report_id)
        return Decision(report_id=report_id, state="released")

    @router.post("/{report_id}/reject")
    async def reject_report(principal: CanReview, report_id: ReportId, body: Rejection) -> Decision:
        """Take the report out for good."""
        await reject(principal, report_id, body.reason)
        return Decision(report_id=report_id, state="rejected")

    return router


def _summary(row: Any) -> dict[str, Any]:
    return {
        "report_id": row.report_id,
        "reason": row.reason,
        "risk": row.risk,
        "policy": row.policy,
        "report_type": row.report_type,
        "source": row.source,
        "spans_by_category": row.spans_by_category,
        "releasable": row.releasable,
        "quarantined_at": row.handled_at.isoformat(),
    }
