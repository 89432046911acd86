"""Examples, and how reports become them once all are known."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from curbside.contracts.tasks import INSTRUCTIONS, Task
from curbside_datasets.domain.mining import Mined, stands_in
from curbside_datasets.domain.recipe import Recipe


@dataclass(frozen=True, slots=True)
class MinedReport:
    """A report as the builder sees it. `subject` is the random code that a released dataset carries."""

    report_id: str
    subject: str
    type: str
    source: str
    authored_at: str  # RFC 3339, moved by the subject's offset
    mined: Mined


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


def examples_of(reports: Iterable[MinedReport], recipe: Recipe) -> Iterator[Example]:
    """Every example of `reports`; a comparison takes the subject's previous report of the same type."""
    ordered = sorted(reports, key=_timeline)
    for _, group in groupby(ordered, key=lambda report: (report.subject, report.type)):
        prior: MinedReport | None = None
        for report in group:
            yield from _examples(report, prior, recipe)
            if report.mined.body:
                prior = report


def _timeline(report: MinedReport) -> tuple[str, str, str, str]:
    return (report.subject, report.type, report.authored_at, report.report_id)


def _examples(report: MinedReport, prior: MinedReport | None, recipe: Recipe) -> Iterator[Example]:
    for task in recipe.tasks:
        answer = report.mined.answers.get(task)
        if answer is None or not _fits(report.mined.body, answer.text, recipe):
            continue
        compared = task is Task.COMPARE
        if compared and (prior is None or not report.authored_at or stands_in(answer.text, prior.mined.body)):
            continue
        yield Example(
            example_id=hashlib.sha256(f"{report.report_id}:{task}".encode()).hexdigest()[:20],
            task=task,
            instruction=INSTRUCTIONS[task],
            input=report.mined.body,
            prior=prior.mined.body if compared and prior is not None else None,
            output=answer.text,
            report_id=report.report_id,
            prior_report_id=prior.report_id if compared and prior is not None else None,
            subject=report.subject,
            report_type=report.type,
            source=report.source,
            labelled_by=answer.labelled_by,
        )


def _fits(body: str, answer: str, recipe: Recipe) -> bool:
    """Mining went by the default recipe; a build's own may be stricter."""
    return (
        recipe.min_input_words <= len(body.split()) <= recipe.max_input_words
        and len(answer.split()) <= recipe.max_output_words
    )


def content_hash(examples: Sequence[Example]) -> str:
    """SHA-256 over the examples in the order of their ids, in hex."""
    digest = hashlib.sha256()
    for example in sorted(examples, key=lambda one: one.example_id):
        fields = (
            example.example_id,
            example.task,
            example.input,
            example.prior or "",
            example.output,
            example.subject,
        )
        digest.update("\x1f".join(fields).encode() + b"\x1e")
    return digest.hexdigest()
