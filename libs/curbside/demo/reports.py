"""The reports that the demo posts: generated ones, or the rows of a file or folder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from curbside.runtime.client import Api, ApiProblem, patiently


@dataclass
class Posted:
    """What became of the posts: every report is counted once."""

    accepted: int = 0
    already_there: int = 0
    refused: dict[str, int] | None = None

    @property
    def total(self) -> int:
        return self.accepted + self.already_there + sum((self.refused or {}).values())

    def refuse(self, code: str) -> None:
        self.refused = self.refused or {}
        self.refused[code] = self.refused.get(code, 0) + 1


def generated(limit: int | None) -> list[dict[str, Any]]:
    """The demo's 400 reports of 100 patients, as the bodies of POST /ingestion/v1/reports."""
    from curbside.testing.reports import KnownIdentifiers, demo_reports

    bodies = []
    for report in demo_reports()[:limit]:
        known = {field.name: list(getattr(report.known, field.name)) for field in fields(KnownIdentifiers)}
        bodies.append(
            {
                "text": report.text,
                "external_id": report.external_id,
                "patient_id": report.patient_id,
                "type": report.type.value,
                "authored_at": report.authored_at.isoformat(),
                "source": report.source,
                "known": known,
            }
        )
    return bodies


def from_files(path: Path, limit: int | None, posted: Posted) -> Iterator[dict[str, Any]]:
    """The rows of `path` as bodies; rows that cannot be read are counted in `posted`."""
    from curbside_ingestion.files import BadRow, read_rows

    for row in read_rows([path], limit):
        if isinstance(row, BadRow):
            posted.refuse(row.problem.code)
        else:
            yield row.to_body(source=path.name)


def post(api: Api, body: dict[str, Any], posted: Posted) -> None:
    """Post one report; a duplicate is one that is already there, so a second run does nothing twice."""
    try:
        # Again where an answer was lost: the report is then already there.
        patiently(lambda: api.post("/ingestion/v1/reports", body))
        posted.accepted += 1
    except ApiProblem as problem:
        if problem.body["status"] >= 500:
            raise
        if problem.body["status"] == 409 and "report_id" in problem.body:
            posted.already_there += 1
        else:
            posted.refuse(str(problem.body.get("code", problem.body["status"])))
