"""One report may arrive again: as a copy, an amendment, a retraction, or a contradiction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from curbside_ingestion.domain.problems import ChangedReport, DuplicateReport
from curbside_ingestion.domain.states import ReportState, may_become


class ReportStatus(StrEnum):
    """What the source says of the report, in FHIR's words."""

    FINAL = "final"
    PRELIMINARY = "preliminary"
    AMENDED = "amended"
    ENTERED_IN_ERROR = "entered-in-error"


RETRACTED: Final = "status.entered-in-error"
REPLACED: Final = "status.replaced"


@dataclass(frozen=True, slots=True)
class Revision:
    """A report that was accepted under the same identity. `fingerprint` is a keyed hash of its content."""

    report_id: str
    number: int
    status: ReportStatus
    fingerprint: str
    state: ReportState


@dataclass(frozen=True, slots=True)
class Displaced:
    """An earlier revision, and the state that the new one puts it in."""

    report_id: str
    state: ReportState
    reason: str


@dataclass(frozen=True, slots=True)
class Admission:
    """How a report enters: as which revision, in which state, and what it displaces."""

    number: int
    state: ReportState
    reason: str
    displaced: tuple[Displaced, ...]


def admit(earlier: Sequence[Revision], status: ReportStatus, fingerprint: str) -> Admission:
    """Decide on a report whose identity came before as `earlier`, oldest first.

    A copy raises DuplicateReport. A retraction withdraws every earlier revision. An amendment supersedes
    the last one, and so does a final report whose preliminary came first (FHIR R4 DiagnosticReportStatus,
    preliminary: "Verified early results are available, but not all results are final"). Everything else
    raises ChangedReport.
    """
    for revision in earlier:
        if revision.fingerprint == fingerprint and revision.status is status:
            raise DuplicateReport(
                "this report is already there",
                field="external_id",
                mend="Nothing is to be done; follow it by its report_id.",
                report_id=revision.report_id,
                state=revision.state.value,
            )
    number = earlier[-1].number + 1 if earlier else 0
    if status is ReportStatus.ENTERED_IN_ERROR:
        displaced = _displaced(earlier, ReportState.WITHDRAWN, RETRACTED)
        return Admission(number, ReportState.WITHDRAWN, RETRACTED, displaced)
    if not earlier:
        return Admission(number, ReportState.PENDING, "", ())
    last = earlier[-1]
    finalised = status is ReportStatus.FINAL and last.status is ReportStatus.PRELIMINARY
    if status is not ReportStatus.AMENDED and not finalised:
        raise ChangedReport(
            f"another report of status {last.status.value!r} came under this external_id",
            field="status",
            mend="Send it with status 'amended' if it replaces that one, else under an id of its own.",
            existing={"report_id": last.report_id, "state": last.state.value},
        )
    return Admission(number, ReportState.PENDING, "", _displaced(earlier, ReportState.SUPERSEDED, REPLACED))


def replaced(earlier: Sequence[Revision]) -> tuple[Displaced, ...]:
    """What a report of another identity supersedes when it says that it replaces this one."""
    return _displaced(earlier, ReportState.SUPERSEDED, REPLACED)


def _displaced(earlier: Sequence[Revision], state: ReportState, reason: str) -> tuple[Displaced, ...]:
    return tuple(
        Displaced(revision.report_id, state, reason)
        for revision in earlier
        if may_become(revision.state, state)
    )
