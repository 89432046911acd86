"""Reports that are taken in together or not at all: those of a FHIR transaction.

A group that is committed may hold several such units beside reports that stand for themselves, and one may
contradict another. So all are judged in their order, on a copy of what is there, before anything is written.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Protocol, TypeVar

from curbside.errors import Conflict, CurbsideError
from curbside_ingestion.domain.problems import DuplicateReport
from curbside_ingestion.domain.revisions import Revision

Revisions = dict[tuple[str, str], list[Revision]]  # by tenant and identity, oldest first


class WithheldReport(Conflict):
    """Nothing is wrong with it: another report of its transaction was refused."""

    code = "report.withheld"


class Member(Protocol):
    """What is taken in; `unit` is empty where it stands for itself."""

    @property
    def report_id(self) -> str: ...

    @property
    def unit(self) -> str: ...


_Member = TypeVar("_Member", bound=Member)


def barred(
    members: Sequence[_Member],
    there: Revisions,
    enter: Callable[[_Member, Revisions], CurbsideError | None],
) -> dict[str, CurbsideError]:
    """Why each report of a unit that cannot be taken in whole is not, by the reports' ids.

    `enter` judges one beside what is there, and notes it there for those behind it. A copy of what is there
    already is no hindrance: sending it again is no mistake.
    """
    if not any(member.unit for member in members):
        return {}
    trial = {name: [*revisions] for name, revisions in there.items()}
    problems: dict[str, CurbsideError] = {}
    for unit, group in groupby(members, key=attrgetter("unit")):
        of_unit = [*group]
        before = {name: [*revisions] for name, revisions in trial.items()} if unit else {}
        found = {member.report_id: enter(member, trial) for member in of_unit}
        in_the_way = {
            report_id: problem
            for report_id, problem in found.items()
            if problem is not None and not isinstance(problem, DuplicateReport)
        }
        if unit and in_the_way:
            trial |= before
            problems |= {name: in_the_way.get(name) or withheld() for name in found}
    return problems


def withheld() -> WithheldReport:
    return WithheldReport(
        "another report of its transaction was refused", mend="Mend that one, and send the whole again."
    )
