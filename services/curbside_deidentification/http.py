"""The review API: list and show what is in quarantine, correct its spans, release and reject it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any, Final, Protocol

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from curbside.identity.http import CanReview
from curbside.identity.principal import Principal
from curbside.phi import Category
from curbside_deidentification.correcting import Addition
from curbside_deidentification.domain.spans import count_by_category
from curbside_deidentification.quarantine import Shown

ReportId = Annotated[str, Path(pattern=r"^[A-Za-z0-9-]{1,64}$")]
SpanId = Annotated[str, Path(pattern=r"^\d{1,9}-\d{1,9}-[A-Z_]{1,20}$")]
Revision = Annotated[int, Field(ge=0, description="as the report showed it")]
_CODE: Final = r"[a-z][a-z0-9.-]{0,63}"
_CONTEXT: Final = 40  # characters on either side of a mention


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
    revision: int  # counts the corrections of its spans


class ShownSpan(BaseModel):
    """A mention with what there is to judge it by."""

    id: str
    start: int  # Unicode code points of `text`
    end: int
    category: str
    recogniser: str
    score: float
    before: str
    mention: str
    after: str
    status: str  # found, accepted, added; removed and replaced ones stand in the text again
    reason: str  # a reviewer's code


class ShownReport(QuarantinedReport):
    """`risk` and `replaced` are of the spans as they are now; `revision` is to be sent with the next act."""

    text: str
    replaced: str
    spans: list[ShownSpan]


class QuarantinePage(BaseModel):
    reports: list[QuarantinedReport]
    next: str | None


class Act(BaseModel):
    # A misspelled "everywhere" or "complete" would be taken for its default.
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    # What the report showed: somebody else may have corrected it since.
    revision: Revision


class Judgement(Act):
    reason: Annotated[str, Field(pattern=rf"^({_CODE})?$", examples=["reviewer.drug"])] = ""


class AddedSpan(Judgement):
    start: int = Field(ge=0, description="in Unicode code points of the text")
    end: int = Field(ge=1, description="behind its last one")
    category: Category
    instead: bool = Field(default=False, description="in the place of the spans that it overlaps")
    everywhere: bool = Field(default=True, description="also where the same words stand again")


class Rejection(Act):
    # A code, not prose: it travels in an event, where patient text must not.
    reason: str = Field(pattern=f"^{_CODE}$", examples=["reviewer.not-a-report"])
    complete: bool = Field(
        default=False, description="its spans are right and whole: it joins the regression corpus"
    )


class Decision(BaseModel):
    report_id: str
    state: str


class Listing(Protocol):
    async def __call__(self, principal: Principal, after: str, limit: int, /) -> Sequence[Any]: ...


class Judge(Protocol):
    async def __call__(
        self, principal: Principal, report_id: str, span_id: str, reason: str, revision: int, /
    ) -> Shown: ...


class Add(Protocol):
    async def __call__(
        self, principal: Principal, report_id: str, addition: Addition, revision: int, /
    ) -> Shown: ...


class Reject(Protocol):
    async def __call__(
        self, principal: Principal, report_id: str, reason: str, revision: int, complete: bool, /
    ) -> None: ...


def routes(
    *,
    listing: Listing,
    show: Callable[[Principal, str], Awaitable[Shown]],
    accept: Judge,
    remove: Judge,
    add: Add,
    release: Callable[[Principal, str, int], Awaitable[None]],
    reject: Reject,
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
        reports = [QuarantinedReport(**_summary(row, row.revision)) for row in rows]
        return QuarantinePage(reports=reports, next=reports[-1].report_id if len(reports) == limit else None)

    @router.get("/{report_id}")
    async def show_report(principal: CanReview, report_id: ReportId) -> ShownReport:
        """A quarantined report with its text and what was found in it. Each look is audited."""
        return _report(await show(principal, report_id))

    @router.post("/{report_id}/spans")
    async def add_to_report(principal: CanReview, report_id: ReportId, body: AddedSpan) -> ShownReport:
        """Mark PHI that was missed."""
        addition = Addition(
            body.start, body.end, body.category, body.reason, instead=body.instead, everywhere=body.everywhere
        )
        return _report(await add(principal, report_id, addition, body.revision))

    @router.post("/{report_id}/spans/{span_id}/accept")
    async def accept_of_report(
        principal: CanReview, report_id: ReportId, span_id: SpanId, body: Judgement
    ) -> ShownReport:
        """Say that a span is PHI."""
        return _report(await accept(principal, report_id, span_id, body.reason, body.revision))

    @router.post("/{report_id}/spans/{span_id}/remove")
    async def remove_from_report(
        principal: CanReview, report_id: ReportId, span_id: SpanId, body: Judgement
    ) -> ShownReport:
        """Say that a span is a false alarm: its words stand in the text again."""
        return _report(await remove(principal, report_id, span_id, body.reason, body.revision))

    @router.post("/{report_id}/release")
    async def release_report(principal: CanReview, report_id: ReportId, body: Act) -> Decision:
        """Pass the text on to datasets, with the spans of the revision replaced."""
        await release(principal, report_id, body.revision)
        return Decision(report_id=report_id, state="released")

    @router.post("/{report_id}/reject")
    async def reject_report(principal: CanReview, report_id: ReportId, body: Rejection) -> Decision:
        """Take the report out for good."""
        await reject(principal, report_id, body.reason, body.revision, body.complete)
        return Decision(report_id=report_id, state="rejected")

    return router


def _report(shown: Shown) -> ShownReport:
    text = shown.text.reveal()
    return ShownReport(
        **_summary(shown.row, shown.revision)
        | {"risk": shown.result.risk, "spans_by_category": count_by_category(shown.result.spans)},
        text=text,
        replaced=shown.result.replaced.reveal(),
        spans=[
            ShownSpan(
                id=one.id,
                start=one.span.start,
                end=one.span.end,
                category=one.span.category,
                recogniser=one.span.recogniser,
                score=one.span.score,
                before=text[max(0, one.span.start - _CONTEXT) : one.span.start],
                mention=text[one.span.start : one.span.end],
                after=text[one.span.end : one.span.end + _CONTEXT],
                status=one.status,
                reason=one.reason,
            )
            for one in shown.spans
        ],
    )


def _summary(row: Any, revision: int) -> dict[str, Any]:
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
        "revision": revision,
    }
