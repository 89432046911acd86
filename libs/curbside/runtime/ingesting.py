"""`curbside ingest`: files and folders, through the same API, with what was refused listed by row.

Run again after an interruption it goes on: what was acknowledged is there already.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from curbside.runtime.client import Api, ApiProblem, patiently
from curbside.runtime.reading import console, progress_bar
from curbside.runtime.uploading import LARGE, send_archive

_MOST_SHOWN: Final = 200  # refusals that are listed; all are counted
_MOST_TABLES: Final = 20  # different ones that are shown
_HOW: Final = {"given": "as given", "name": "by name", "content": "by content: check it"}


@dataclass
class _Summary:
    outcomes: Counter[str] = field(default_factory=Counter)
    refused: Table = field(default_factory=lambda: Table("row", "field", "problem"))
    tables: dict[str, tuple[dict[str, Any], int]] = field(default_factory=dict)  # first of its kind, how many

    def refuse(self, place: str, problem: ApiProblem) -> None:
        if problem.body["status"] == HTTPStatus.CONFLICT and "report_id" in problem.body:
            self.outcomes["already there"] += 1
            return
        self.list(place, problem.field, problem.sentence)

    def read(self, table: dict[str, Any]) -> None:
        """Note a table and its columns. Those of one system's export are mostly alike."""
        alike = repr((table["columns"], table["by"], table["ignored"]))
        first, count = self.tables.get(alike, (table, 0))
        self.tables[alike] = first, count + 1

    def print_tables(self) -> None:
        for table, count in [*self.tables.values()][:_MOST_TABLES]:
            more = f" and {count - 1} more with the same columns" if count > 1 else ""
            shown = Table(
                "field", "columns", "found", title=Text(f"{table['place']}{more}"), title_justify="left"
            )
            for name, columns in table["columns"].items():
                shown.add_row(name, _listed(columns), _HOW[table["by"][name]])
            if table["ignored"]:
                shown.add_row("(none)", _listed(table["ignored"]), "ignored")
            console.print(shown)
        if len(self.tables) > _MOST_TABLES:
            console.print(f"and {len(self.tables) - _MOST_TABLES} other kinds of tables")

    def list(self, place: str, named: str | None, sentence: str) -> None:
        self.outcomes["refused"] += 1
        if self.refused.row_count < _MOST_SHOWN:
            self.refused.add_row(place, named or "", sentence)


def ingest_paths(
    api: Api,
    paths: Sequence[Path],
    *,
    limit: int | None,
    source: str,
    memory: Path | None = None,
    large: int = LARGE,
    columns: Sequence[str] = (),
) -> bool:
    """Post every report; print counts, which column of each table became which field, and refusals. Returns
    whether nothing was refused. ZIPs of more than `large` bytes go up in pieces, and `memory` is where it is
    noted how to go on with them. `columns` says which columns of tables are which fields, each as
    `field=column,column`; raises BadInput where that is none."""
    from curbside_ingestion.domain.columns import read_pairs
    from curbside_ingestion.domain.rows import Tables
    from curbside_ingestion.files import BadRow, Document, LargeArchive, read_paths

    tables = Tables(read_pairs(columns) if columns else None)
    given = tables.columns.as_json() if tables.columns is not None else None
    summary = _Summary()
    with progress_bar() as bar:
        task = bar.add_task("posting reports", total=None, note="")
        most = sys.maxsize if memory is None else large
        for row in read_paths(list(paths), limit, large=most, tables=tables):
            bar.advance(task)
            if isinstance(row, BadRow):
                summary.list(row.place, row.problem.field, row.problem.sentence)
            elif isinstance(row, LargeArchive):
                assert memory is not None
                _send_archive(api, row.place, row.path, source, given, memory, summary, bar)
            elif isinstance(row, Document):
                _post_document(api, row.place, row.name, row.data, source, given, summary)
            else:
                _post_row(api, row.place, row.to_body(source=source), summary)
    for place, table in tables.found:
        summary.read({"place": place, **table.told(quoting=True)})
    summary.print_tables()
    said = ("already there", "refused")
    counts = ", ".join(f"{summary.outcomes[outcome]} {outcome}" for outcome in said)
    console.print(f"{summary.outcomes['acknowledged']} acknowledged, {counts}")
    if summary.refused.row_count:
        console.print(summary.refused)
    return not summary.outcomes["refused"]


def _listed(columns: Sequence[str | int]) -> Text:
    """Headers as they stand, in which a bracket is no markup; a column without one by its number."""
    return Text(", ".join(f"column {one}" if isinstance(one, int) else one for one in columns))


def _post_row(api: Api, place: str, body: dict[str, Any], summary: _Summary) -> None:
    try:
        patiently(lambda: api.post("/ingestion/v1/reports", body))
        summary.outcomes["acknowledged"] += 1
    except ApiProblem as problem:
        if problem.body["status"] >= 500:
            raise
        summary.refuse(place, problem)


def _send_archive(
    api: Api,
    place: str,
    path: Path,
    source: str,
    columns: str | None,
    memory: Path,
    summary: _Summary,
    bar: Progress,
) -> None:
    size = path.stat().st_size
    task = bar.add_task(place[-34:], total=size, note="bytes")

    def told(done: int, what: str) -> None:
        bar.update(task, completed=done, total=size if what == "bytes" else None, note=what)

    try:
        outcome = send_archive(api, path, source=source, columns=columns, memory=memory, told=told)
    except ApiProblem as problem:
        if problem.body["status"] >= 500:
            raise
        summary.refuse(place, problem)
        return
    summary.outcomes["acknowledged"] += outcome["accepted"]
    summary.outcomes["already there"] += outcome["already_there"]
    summary.outcomes["refused"] += outcome["refused"] - len(outcome["rejected"])  # those that are not listed
    for one in outcome["rejected"]:
        within = one["problem"].get("place", f"row {one['row']}")
        summary.refuse(f"{place}, {within}", ApiProblem(one["problem"]))


def _post_document(
    api: Api, place: str, name: str, data: bytes, source: str, columns: str | None, summary: _Summary
) -> None:
    said = {"source": source} | ({"columns": columns} if columns else {})
    form = {"files": {"file": (name, data)}, "data": said}
    archive = data.startswith(b"PK\x03\x04") and b"word/document.xml" not in data  # a DOCX is a ZIP too
    if archive:
        form = {"content": data, "params": said, "headers": {"content-type": "application/zip"}}
    try:
        answer = patiently(lambda: api.request("POST", "/ingestion/v1/reports:batch", **form))
    except ApiProblem as problem:
        if problem.body["status"] >= 500:
            raise
        if "rejected" not in problem.body:
            summary.refuse(place, problem)
            return
        answer = {"accepted": [], "tables": [], **problem.body}
    summary.outcomes["acknowledged"] += len(answer["accepted"])
    for one in answer["rejected"]:
        within = one["problem"].get("place")
        summary.refuse(f"{place}, {within}" if within else place, ApiProblem(one["problem"]))
    for table in answer.get("tables", ()):
        summary.read(table | {"place": f"{place}, {table['place']}" if archive else place})
