"""FHIR R4 over HTTP: bundles and single reports in, FHIR's own answers out.

https://hl7.org/fhir/R4/http.html. What is refused is said as an OperationOutcome.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute

from curbside import __version__
from curbside.errors import BadInput, CurbsideError
from curbside.identity.http import CanIngest
from curbside.identity.principal import Principal
from curbside_ingestion.bodies import whole_body
from curbside_ingestion.domain.problems import BadShape, DuplicateReport
from curbside_ingestion.domain.report import read_source
from curbside_ingestion.domain.rows import BadRow, GoodRow
from curbside_ingestion.extraction.found import Kind
from curbside_ingestion.handlers import Receive
from curbside_ingestion.idempotency.http import KEY_PARAMETER
from curbside_ingestion.reading import Documents
from curbside_ingestion.receiving import Accepted, Refused

SOURCE: Final = "fhir"
_CREATED: Final = ("DiagnosticReport", "DocumentReference", "Composition", "Observation", "Binary")
_MEDIA: Final = Kind.FHIR.value
# https://hl7.org/fhir/R4/valueset-issue-type.html
_ISSUES: Final = {
    HTTPStatus.CONFLICT: "conflict",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "too-costly",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "not-supported",
    HTTPStatus.TOO_MANY_REQUESTS: "throttled",
    HTTPStatus.SERVICE_UNAVAILABLE: "transient",
    HTTPStatus.INSUFFICIENT_STORAGE: "no-store",
}
_EXAMPLE: Final = {
    "resourceType": "DiagnosticReport",
    "status": "final",
    "code": {"coding": [{"system": "http://loinc.org", "code": "18748-4"}], "text": "Chest film"},
    "subject": {"reference": "Patient/4711"},
    "conclusion": "No pneumonia.",
}
_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {_MEDIA: {"schema": {"type": "object"}, "example": _EXAMPLE}},
    },
    "parameters": [KEY_PARAMETER],
}


def fhir_routes(
    *, documents: Documents, receive: Receive, route_class: type[APIRoute] = APIRoute
) -> APIRouter:
    router = APIRouter(prefix="/fhir", route_class=route_class)

    @router.get("/metadata")
    async def capabilities(principal: CanIngest) -> JSONResponse:
        """What this endpoint takes, as FHIR says it."""
        return _fhir(_capabilities(), HTTPStatus.OK)

    @router.post("", openapi_extra=_BODY)
    async def take_bundle(request: Request, principal: CanIngest, source: str = SOURCE) -> JSONResponse:
        """Take in the good reports of a Bundle; the answer says what became of each. Of a transaction none is
        taken in where one cannot be read."""
        try:
            resource, data = await _resource(request)
            if resource.get("resourceType") != "Bundle":
                raise BadShape(
                    "the body is no Bundle",
                    field="resourceType",
                    mend="Send one, or POST it to /ingestion/fhir/<its type>.",
                )
            rows = await documents.rows_as(Kind.FHIR, data, {"source": read_source(source)})
            bad = [row for row in rows if isinstance(row, BadRow)]
            whole = resource.get("type") == "transaction"
            if whole and bad:
                return _fhir(_outcome([row.problem for row in bad]), bad[0].problem.status)
            return await _answered(rows, whole, receive, principal)
        except CurbsideError as problem:
            return _refused(problem)

    @router.post("/{kind}", status_code=202, openapi_extra=_BODY)
    async def create(kind: str, request: Request, principal: CanIngest, source: str = SOURCE) -> JSONResponse:
        """Take in one resource that holds a report; 202 says that it is durable."""
        try:
            resource, data = await _resource(request)
            if kind not in _CREATED or resource.get("resourceType") != kind:
                raise BadShape(
                    "the resource is not of a type that is taken here, or not of the path's",
                    field="resourceType",
                    mend=f"POST a {', '.join(_CREATED)} to its own path, or a Bundle to /ingestion/fhir.",
                )
            rows = await documents.rows_as(Kind.FHIR, data, {"source": read_source(source)})
            return await _created(kind, rows, receive, principal)
        except CurbsideError as problem:
            return _refused(problem)

    return router


async def _resource(request: Request) -> tuple[dict[str, Any], bytes]:
    data = await whole_body(request)
    try:
        resource = await asyncio.to_thread(json.loads, data)
    except (ValueError, RecursionError):
        resource = None
    if not isinstance(resource, dict):
        raise BadShape("the body is no FHIR resource in JSON", field="body", mend="Send one, in UTF-8.")
    return resource, data


async def _answered(
    rows: Sequence[GoodRow | BadRow], whole: bool, receive: Receive, principal: Principal
) -> JSONResponse:
    good = [row for row in rows if isinstance(row, GoodRow)]
    outcomes = {outcome.row: outcome for outcome in await receive(good, _MEDIA, principal)}
    entries = [_entry(row.problem if isinstance(row, BadRow) else outcomes[row.row]) for row in rows]
    kind = "transaction-response" if whole else "batch-response"
    return _fhir({"resourceType": "Bundle", "type": kind, "entry": entries}, HTTPStatus.OK)


def _entry(outcome: Accepted | Refused | CurbsideError) -> dict[str, Any]:
    if isinstance(outcome, Accepted):
        return {"response": {"status": "202 Accepted", "location": _location(outcome.report_id)}}
    problem = outcome.problem if isinstance(outcome, Refused) else outcome
    if isinstance(problem, DuplicateReport):  # sending it again is no mistake
        return {"response": {"status": "200 OK", "location": _location(problem.extensions["report_id"])}}
    status = problem.status
    return {"response": {"status": f"{int(status)} {status.phrase}", "outcome": _outcome([problem])}}


async def _created(
    kind: str, rows: Sequence[GoodRow | BadRow], receive: Receive, principal: Principal
) -> JSONResponse:
    (row, *others) = rows
    if isinstance(row, BadRow):
        raise row.problem
    if others:
        raise BadShape(f"the {kind} holds several reports", field="body", mend="Send them in a Bundle.")
    (outcome,) = await receive([row], _MEDIA, principal)
    if isinstance(outcome, Refused):
        raise outcome.problem
    said = {"severity": "information", "code": "informational", "diagnostics": "The report is durable."}
    answer = _fhir({"resourceType": "OperationOutcome", "issue": [said]}, HTTPStatus.ACCEPTED)
    answer.headers["location"] = _location(outcome.report_id)
    return answer


def refused(problem: CurbsideError, request: Request) -> JSONResponse:
    """A problem with `request`, as FHIR says it."""
    return _refused(problem)


def _refused(problem: CurbsideError) -> JSONResponse:
    answer = _fhir(_outcome([problem]), problem.status)
    if "retry_after" in problem.extensions:
        answer.headers["retry-after"] = str(problem.extensions["retry_after"])
    return answer


def _outcome(problems: Sequence[CurbsideError]) -> dict[str, Any]:
    """An OperationOutcome; `expression` names the field, after the entry that it stands in."""
    issues = []
    for problem in problems:
        place = ": ".join(part for part in (problem.extensions.get("place"), problem.field) if part)
        issue = {
            "severity": "error" if isinstance(problem, BadInput) else "fatal",
            "code": _ISSUES.get(problem.status, "invalid"),
            "details": {"text": problem.code},
            "diagnostics": problem.sentence,
        }
        issues.append(issue | ({"expression": [place]} if place else {}))
    return {"resourceType": "OperationOutcome", "issue": issues}


def _location(report_id: str) -> str:
    return f"/ingestion/v1/reports/{report_id}"


def _fhir(resource: dict[str, Any], status: HTTPStatus) -> JSONResponse:
    return JSONResponse(resource, int(status), media_type=_MEDIA)


def _capabilities() -> dict[str, Any]:
    kinds = [{"type": kind, "interaction": [{"code": "create"}]} for kind in _CREATED]
    rest = {"mode": "server", "resource": kinds, "interaction": [{"code": "transaction"}, {"code": "batch"}]}
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": "2026-11-29",
        "kind": "instance",
        "software": {"name": "Curbside", "version": __version__},
        "implementation": {"description": "Reports in; nothing is read out here."},
        "fhirVersion": "4.0.1",
        "format": ["json"],
        "rest": [rest],
    }
