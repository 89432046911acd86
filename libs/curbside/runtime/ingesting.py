"""`curbside ingest`: files and folders, through the same API, with what was refused listed by row."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.table import Table

from curbside.runtime.client import Api, ApiProblem
from curbside.runtime.reading import console, progress_bar


def ingest_paths(api: Api, paths: Sequence[Path], *, limit: int | None, source: str) -> bool:
    """Post every row; print counts and refusals. Returns whether nothing was refused."""
    from curbside_ingestion.files import BadRow, read_rows

    accepted = already_there = 0
    refused = Table("row", "field", "problem")
    with progress_bar() as bar:
        task = bar.add_task("posting reports", total=None, note="")
        for row in read_rows(list(paths), limit):
            bar.advance(task)
            if isinstance(row, BadRow):
                refused.add_row(row.place, row.problem.field or "", row.problem.sentence)
                continue
            try:
                api.post("/ingestion/v1/reports", row.to_body(source=source))
                accepted += 1
            except ApiProblem as problem:
                if problem.body["status"] >= 500:
                    raise
                if problem.body["status"] == 409 and "report_id" in problem.body:
                    already_there += 1
                else:
                    refused.add_row(row.place, problem.field or "", problem.sentence)
    console.print(f"{accepted} acknowledged, {already_there} already there, {refused.row_count} refused")
    if refused.row_count:
        console.print(refused)
    return refused.row_count == 0
