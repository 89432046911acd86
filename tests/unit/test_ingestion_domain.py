"""States and revisions: what may follow what, and what a report that comes again means."""

from __future__ import annotations

import pytest

from curbside_ingestion.domain.problems import ChangedReport, DuplicateReport
from curbside_ingestion.domain.revisions import ReportStatus, Revision, admit
from curbside_ingestion.domain.states import TRANSITIONS, ReportState, may_become

FINAL, PRELIMINARY, AMENDED, ERROR = (
    ReportStatus.FINAL,
    ReportStatus.PRELIMINARY,
    ReportStatus.AMENDED,
    ReportStatus.ENTERED_IN_ERROR,
)


def came(
    *statuses: ReportStatus, state: ReportState = ReportState.DEIDENTIFIED, content: str = "old"
) -> list[Revision]:
    return [Revision(f"r{n}", n, status, content, state) for n, status in enumerate(statuses)]


def test_every_state_has_its_transitions_and_none_returns_to_pending() -> None:
    assert set(TRANSITIONS) == set(ReportState)
    assert not [state for state in ReportState if may_become(state, ReportState.PENDING)]
    assert not [state for state in ReportState if may_become(state, state)]


@pytest.mark.parametrize("end", [ReportState.SUPERSEDED, ReportState.WITHDRAWN, ReportState.ERASED])
def test_a_late_event_never_revives_a_report(end: ReportState) -> None:
    for later in (
        ReportState.DEIDENTIFIED,
        ReportState.RELEASED,
        ReportState.QUARANTINED,
        ReportState.REJECTED,
    ):
        assert not may_become(end, later)


def test_a_release_may_overtake_its_quarantine() -> None:
    assert may_become(ReportState.PENDING, ReportState.RELEASED)
    assert not may_become(ReportState.RELEASED, ReportState.QUARANTINED)


def test_a_first_report_waits_and_a_first_retraction_is_withdrawn() -> None:
    assert (admit([], FINAL, "x").number, admit([], FINAL, "x").state) == (0, ReportState.PENDING)
    assert admit([], ERROR, "x").state is ReportState.WITHDRAWN


@pytest.mark.parametrize("status", ReportStatus)
def test_a_copy_is_a_duplicate_also_of_a_revision_since_replaced(status: ReportStatus) -> None:
    earlier = [*came(status), Revision("r1", 1, AMENDED, "new", ReportState.DEIDENTIFIED)]
    with pytest.raises(DuplicateReport) as refused:
        admit(earlier, status, "old")
    assert refused.value.problem()["report_id"] == "r0"


@pytest.mark.parametrize(("before", "status"), [(FINAL, AMENDED), (PRELIMINARY, FINAL), (AMENDED, AMENDED)])
def test_an_amendment_or_a_final_after_its_preliminary_supersedes(
    before: ReportStatus, status: ReportStatus
) -> None:
    admission = admit(came(before), status, "new")
    assert (admission.number, admission.state) == (1, ReportState.PENDING)
    assert [(d.report_id, d.state) for d in admission.displaced] == [("r0", ReportState.SUPERSEDED)]


def test_a_final_may_repeat_its_preliminary_word_for_word() -> None:
    assert admit(came(PRELIMINARY), FINAL, "old").displaced


@pytest.mark.parametrize(
    ("before", "status"), [(FINAL, FINAL), (FINAL, PRELIMINARY), (AMENDED, FINAL), (PRELIMINARY, PRELIMINARY)]
)
def test_other_content_under_the_same_id_is_refused_naming_the_mend(
    before: ReportStatus, status: ReportStatus
) -> None:
    with pytest.raises(ChangedReport) as refused:
        admit(came(before), status, "new")
    assert refused.value.field == "status"
    assert "amended" in str(refused.value.mend)
    assert "report_id" not in refused.value.extensions


def test_a_retraction_withdraws_every_revision_that_is_not_erased() -> None:
    earlier = [
        Revision("r0", 0, FINAL, "a", ReportState.ERASED),
        Revision("r1", 1, AMENDED, "b", ReportState.SUPERSEDED),
        Revision("r2", 2, AMENDED, "c", ReportState.QUARANTINED),
    ]
    admission = admit(earlier, ERROR, "d")
    assert (admission.number, admission.state) == (3, ReportState.WITHDRAWN)
    assert [displaced.report_id for displaced in admission.displaced] == ["r1", "r2"]
