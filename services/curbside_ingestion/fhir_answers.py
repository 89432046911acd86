"""What FHIR R4 answers: a bundle's entries each with their outcome, and what was refused as OperationOutcome.

https://hl7.org/fhir/R4/http.html#transaction: a bundle is answered by one entry for each of its own, in their
order; a transaction of which an entry fails, by one OperationOutcome, and none of it is done.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

from curbside.errors import BadInput, CurbsideError
from curbside_ingestion.domain.problems import DuplicateReport
from curbside_ingestion.domain.rows import BadRow, GoodRow
from curbside_ingestion.receiving import Accepted, Refused
from curbside_ingestion.together import WithheldReport

Outcome = Accepted | CurbsideError
# https://hl7.org/fhir/R4/valueset-issue-type.html
_ISSUES: Final = {
    HTTPStatus.CONFLICT: "conflict",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "too-costly",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "not-supported",
    HTTPStatus.TOO_MANY_REQUESTS: "throttled",
    HTTPStatus.SERVICE_UNAVAILABLE: "transient",
    HTTPStatus.INSUFFICIENT_STORAGE: "no-store",
}
_MOST_ISSUES: Final = 20  # entries that one OperationOutcome names
_ENTRY: Final = re.compile(r"entry (\d+)(?:, )?")
_INDEX: Final = re.compile(r"\.(\d+)(?=\.|$)")
_READ: Final = "It makes no report by itself; what it says of one is kept with that."


def operation_outcome(problems: Sequence[CurbsideError]) -> dict[str, Any]:
    """An OperationOutcome; `expression` names the entry and the field of each, of the first 20."""
    issues: list[dict[str, Any]] = []
    for problem in problems[:_MOST_ISSUES]:
        place = expression(str(problem.extensions.get("place") or ""), problem.field or "")
        issue = {
            "severity": "error" if isinstance(problem, BadInput) else "fatal",
            "code": _ISSUES.get(problem.status, "invalid"),
            "details": {"text": problem.code},
            "diagnostics": problem.sentence,
        }
        issues.append(issue | ({"expression": [place]} if place else {}))
    if (more := len(problems) - _MOST_ISSUES) > 0:
        issues.append(_informed(f"And {more} more."))
    return {"resourceType": "OperationOutcome", "issue": issues}


def expression(place: str, field: str) -> str:
    """FHIRPath of a field: `place` is of our own, e.g. "entry 4, DiagnosticReport"; entries count from 0."""
    entries, kind = [], place
    while (found := _ENTRY.match(kind)) is not None:
        entries.append(f"entry[{int(found[1]) - 1}]")
        kind = kind[found.end() :]
    within = _INDEX.sub(r"[\1]", field.removeprefix(f"{kind}.") if kind else field)
    if within in ("body", "entry", kind):
        within = ""
    if not entries:
        return ".".join(part for part in (kind, within) if part)
    # "request.method" is of the entry, all else of its resource.
    inner = within if within.startswith(("request", "resource")) else f"resource.{within}"
    return "Bundle." + ".resource.".join(entries) + (f".{inner}" if within else "")


def in_the_way(
    rows: Sequence[GoodRow | BadRow], outcomes: Sequence[Accepted | Refused] = ()
) -> list[CurbsideError]:
    """The problems of a transaction for which none of it is taken in, each with its entry's place. A copy of
    what is there is none."""
    problems = [row.problem for row in rows if isinstance(row, BadRow)]
    places = {row.row: row.place for row in rows if isinstance(row, GoodRow)}
    for outcome in outcomes:
        if isinstance(outcome, Refused) and not isinstance(outcome.problem, DuplicateReport | WithheldReport):
            outcome.problem.extensions.setdefault("place", places[outcome.row])
            problems.append(outcome.problem)
    return problems


def bundle_response(
    kind: str, entries: int, rows: Sequence[GoodRow | BadRow], outcomes: Mapping[int, Accepted | Refused]
) -> dict[str, Any]:
    """A `kind` of Bundle with an answer to each of `entries` entries, whose reports are `rows`."""
    of_entry: dict[int, list[Outcome]] = defaultdict(list)
    for row in rows:
        if isinstance(row, BadRow):
            place, outcome = str(row.problem.extensions.get("place") or ""), row.problem
            of_entry[_number(place)].append(outcome)
        else:
            said = outcomes[row.row]
            of_entry[_number(row.place)].append(said.problem if isinstance(said, Refused) else said)
    answered = [_entry(of_entry.pop(number, [])) for number in range(1, entries + 1)]
    # None is lost, wherever its place may be.
    answered += [_entry(left) for left in of_entry.values()]
    return {"resourceType": "Bundle", "type": kind, "entry": answered}


def _number(place: str) -> int:
    found = _ENTRY.match(place)
    return int(found[1]) if found else 0


def _entry(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """The answer to an entry; of several reports in it (a bundle within) that of the worst."""
    if not outcomes:
        outcome = {"resourceType": "OperationOutcome", "issue": [_informed(_READ)]}
        return {"response": {"status": "200 OK", "outcome": outcome}}
    problems = [
        outcome
        for outcome in outcomes
        if isinstance(outcome, CurbsideError) and not isinstance(outcome, DuplicateReport)
    ]
    if problems:
        status = problems[0].status
        said = f"{int(status)} {status.phrase}"
        return {"response": {"status": said, "outcome": operation_outcome(problems)}}
    new = next((outcome for outcome in outcomes if isinstance(outcome, Accepted)), None)
    if new is not None:
        is_new = new.taken is None or new.taken.is_new
        return {"response": {"status": "202 Accepted" if is_new else "200 OK", "location": location(new)}}
    (known, *_) = outcomes  # sending it again is no mistake
    assert isinstance(known, DuplicateReport)
    return {"response": {"status": "200 OK", "location": report_location(known.extensions["report_id"])}}


def _informed(said: str) -> dict[str, Any]:
    return {"severity": "information", "code": "informational", "diagnostics": said}


def location(outcome: Accepted) -> str:
    """Where what was taken in is shown."""
    if outcome.taken is not None:
        return f"/ingestion/v1/consents/{outcome.taken.consent.consent_id}"
    return report_location(outcome.report_id)


def report_location(report_id: str) -> str:
    return f"/ingestion/v1/reports/{report_id}"
