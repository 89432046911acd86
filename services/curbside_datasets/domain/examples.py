"""Examples, and how reports become them once all are known."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from fractions import Fraction
from itertools import groupby
from typing import Final

from curbside.contracts.tasks import INSTRUCTIONS, Task
from curbside_datasets.domain.mining import Answer, Mined, Offer, Reason, offer, stands_in
from curbside_datasets.domain.recipe import Recipe


@dataclass(frozen=True, slots=True)
class MinedReport:
    """A report as the builder sees it. `report_id` and `subject` are the codes that a dataset carries."""

    report_id: str
    subject: str
    type: str
    source: str
    authored_at: str  # RFC 3339, moved by the subject's offset; or a year, or empty
    mined: Mined
    place: str = ""  # among the subject's reports: "7", "13/2"


@dataclass(frozen=True, slots=True)
class Example:
    """One instruction pair with its lineage."""

    example_id: str
    task: Task
    instruction: str
    input: str
    prior: str | None
    output: str
    report_id: str
    prior_report_id: str | None
    subject: str
    report_type: str
    source: str
    labelled_by: str


COLUMNS: Final = (*(field.name for field in fields(Example)), "split")


@dataclass(frozen=True, slots=True)
class Yield:
    """The examples of some reports, and why the others have none: every report is in exactly one."""

    examples: Sequence[Example]
    without: Mapping[str, Reason]  # by report id
    dropped: Mapping[str, int]  # answers left out of reports that yield others, by "task:reason"


def examples_of(reports: Iterable[MinedReport], recipe: Recipe) -> Yield:
    """Every example of `reports`; a comparison takes the subject's previous report of the same type."""
    examples: list[Example] = []
    without: dict[str, Reason] = {}
    dropped: Counter[str] = Counter()
    by_type = sorted(reports, key=lambda one: (one.subject, one.type))
    for _, group in groupby(by_type, key=lambda one: (one.subject, one.type)):
        earlier: list[tuple[Fraction, MinedReport]] = []
        for when, report in _in_order(list(group)):
            offered = offer(report.mined, recipe)
            made, left = _examples(report, offered, _prior(when, earlier))
            if made:
                examples += made
                dropped.update(f"{task}:{reason}" for task, reason in left.items())
            else:
                without[report.report_id] = offered.reason or next(iter(left.values()))
            if when is not None:
                earlier.append((when, report))
    return Yield(examples, without, dict(dropped))


def _in_order(reports: Sequence[MinedReport]) -> list[tuple[Fraction | None, MinedReport]]:
    """`reports` of one patient by when they were written; those of which nobody knows it come first.

    By their places; or by their times, where an earlier release told some report's time and not its place.
    """
    placed = all(report.place or _instant(report) is None for report in reports)
    timed = [(_place(report) if placed else _instant(report), report) for report in reports]
    return sorted(timed, key=lambda one: (one[0] is not None, one[0] or 0, one[1].report_id))


def _place(report: MinedReport) -> Fraction | None:
    try:
        return Fraction(report.place)
    except (ValueError, ZeroDivisionError):
        return None


def _instant(report: MinedReport) -> Fraction | None:
    """Seconds since 1970, the offsets of sources resolved; None of what is no day, a year for example."""
    try:
        written = datetime.fromisoformat(report.authored_at)
    except ValueError:
        return None
    return Fraction((written if written.tzinfo else written.replace(tzinfo=UTC)).timestamp())


def _prior(when: Fraction | None, earlier: Sequence[tuple[Fraction, MinedReport]]) -> MinedReport | None:
    """The last of `earlier` that has a text and is certainly older than a report of `when`."""
    if when is None:
        return None
    return next((one for before, one in reversed(earlier) if one.mined.body and before < when), None)


def _examples(
    report: MinedReport, offered: Offer, prior: MinedReport | None
) -> tuple[list[Example], dict[Task, Reason]]:
    made, dropped = [], dict(offered.dropped)
    for task, answer in offered.answers.items():
        if task is not Task.COMPARE:
            made.append(_example(report, task, answer, None))
        elif prior is None:
            dropped[task] = Reason.NO_PRIOR
        elif stands_in(answer.text, prior.mined.body):
            dropped[task] = Reason.ANSWER_IN_PROMPT
        else:
            made.append(_example(report, task, answer, prior))
    return made, dropped


def _example(report: MinedReport, task: Task, answer: Answer, prior: MinedReport | None) -> Example:
    return Example(
        example_id=hashlib.sha256(f"{report.report_id}:{task}".encode()).hexdigest()[:20],
        task=task,
        instruction=INSTRUCTIONS[task],
        input=report.mined.body,
        prior=prior.mined.body if prior is not None else None,
        output=answer.text,
        report_id=report.report_id,
        prior_report_id=prior.report_id if prior is not None else None,
        subject=report.subject,
        report_type=report.type,
        source=report.source,
        labelled_by=answer.labelled_by,
    )


def rows_of(examples: Iterable[Example], split: str) -> list[dict[str, str | None]]:
    """What is published of `examples`: a row each, of COLUMNS, in the order of their ids."""
    return [
        {**asdict(example), "task": example.task.value, "split": split}
        for example in sorted(examples, key=lambda one: one.example_id)
    ]


def content_hash(by_split: Mapping[str, Iterable[Example]]) -> str:
    """SHA-256 over every published column of every row, whatever their order, in hex."""
    # JSON, so that no text can pass for the border between two columns, nor an empty one for none.
    lines = sorted(
        json.dumps([row[name] for name in COLUMNS])
        for split, examples in by_split.items()
        for row in rows_of(examples, split)
    )
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
