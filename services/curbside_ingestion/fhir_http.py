"""FHIR R4 over HTTP: bundles and single reports in, FHIR's own answers out.

https://hl7.org/fhir/R4/http.html. What is refused is said as an OperationOutcome.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Request
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute

from curbside import __version__
from curbside.errors import CurbsideError
from curbside.identity.http import CanIngest
from curbside.identity.principal import Principal
from curbside_ingestion.bodies import whole_body
from curbside_ingestion.described import (
    FHIR_BUNDLE,
    FHIR_BUNDLE_ANSWERED,
    FHIR_METADATA_ANSWERED,
    FHIR_ONE,
    FHIR_ONE_ANSWERED,
    FHIR_TYPES,
    Source,
)
from curbside_ingestion.domain.problems import BadShape, DuplicateReport
from curbside_ingestion.domain.report import read_source
from curbside_ingestion.domain.rows import BadRow, GoodRow
from curbside_ingestion.extraction.found import Kind
from curbside_ingestion.fhir_answers import (
    bundle_response,
    in_the_way,
    location,
    operation_outcome,
    report_location,
)
from curbside_ingestion.handlers import Receive
from curbside_ingestion.reading import Documents
from curbside_ingestion.receiving import Accepted

SOURCE: Final = "fhir"
_MEDIA: Final = Kind.FHIR.value


class _Fhir(JSONResponse):
    media_type = _MEDIA


def fhir_routes(
    *, documents: Documents, receive: Receive, together: Receive, route_class: type[APIRoute] = APIRoute
) -> APIRouter:
    router = APIRouter(prefix="/fhir", route_class=route_class)

    @router.get("/metadata", response_class=_Fhir, responses=FHIR_METADATA_ANSWERED)
    async def capabilities(principal: CanIngest) -> JSONResponse:
        """What this endpoint takes, as FHIR says it."""
        return _fhir(_capabilities(), HTTPStatus.OK)

    @router.post("", response_class=_Fhir, openapi_extra=FHIR_BUNDLE, responses=FHIR_BUNDLE_ANSWERED)
    async def take_bundle(request: Request, principal: CanIngest, source: Source = SOURCE) -> JSONResponse:
        """Take in the good reports of a Bundle; the answer says what became of each entry. A transaction is
        taken in whole, or, where one of its entries cannot be, not at all: an OperationOutcome names that."""
        try:
            resource, data = await _resource(request)
            if resource.get("resourceType") != "Bundle":
                raise BadShape(
                    "the body is no Bundle",
                    field="resourceType",
                    mend="Send one, or POST it to /ingestion/fhir/<its type>.",
                )
            rows = await documents.rows_as(Kind.FHIR, data, {"source": read_source(source)})
            entries = resource.get("entry")
            count = len(entries) if isinstance(entries, list) else 0
            if resource.get("type") == "transaction":
                return await _transacted(rows, count, together, principal)
            return await _answered(rows, count, receive, principal)
        except CurbsideError as problem:
            return _refused(problem)

    @router.post(
        "/{kind}",
        status_code=202,
        response_class=_Fhir,
        openapi_extra=FHIR_ONE,
        responses=FHIR_ONE_ANSWERED,
    )
    async def create(
        kind: Annotated[str, Path(json_schema_extra={"enum": [*FHIR_TYPES]}, examples=["DiagnosticReport"])],
        request: Request,
        principal: CanIngest,
        source: Source = SOURCE,
    ) -> JSONResponse:
        """Take in one resource that holds a report; 202 says that it is durable, 200 that it was before."""
        try:
            resource, data = await _resource(request)
            if kind not in FHIR_TYPES or resource.get("resourceType") != kind:
                raise BadShape(
                    "the resource is not of a type that is taken here, or not of the path's",
                    field="resourceType",
                    mend=f"POST a {', '.join(FHIR_TYPES)} to its own path, or a Bundle to /ingestion/fhir.",
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
    rows: Sequence[GoodRow | BadRow], entries: int, receive: Receive, principal: Principal
) -> JSONResponse:
    good = [row for row in rows if isinstance(row, GoodRow)]
    outcomes = {outcome.row: outcome for outcome in await receive(good, _MEDIA, principal)}
    return _fhir(bundle_response("batch-response", entries, rows, outcomes), HTTPStatus.OK)


async def _transacted(
    rows: Sequence[GoodRow | BadRow], entries: int, together: Receive, principal: Principal
) -> JSONResponse:
    """All of `rows`, or, with the status of the first problem, none."""
    problems = in_the_way(rows)
    if not problems:
        good = [row for row in rows if isinstance(row, GoodRow)]
        received = await together(good, _MEDIA, principal)
        problems = in_the_way(rows, received)
    if problems:
        return _fhir(operation_outcome(problems), problems[0].status)
    outcomes = {outcome.row: outcome for outcome in received}
    return _fhir(bundle_response("transaction-response", entries, rows, outcomes), HTTPStatus.OK)


async def _created(
    kind: str, rows: Sequence[GoodRow | BadRow], receive: Receive, principal: Principal
) -> JSONResponse:
    (row, *others) = rows
    if isinstance(row, BadRow):
        raise row.problem
    if others:
        raise BadShape(f"the {kind} holds several reports", field="body", mend="Send them in a Bundle.")
    (outcome,) = await receive([row], _MEDIA, principal)
    if isinstance(outcome, Accepted):
        new = outcome.taken is None or outcome.taken.is_new
        what = "report" if outcome.taken is None else "consent"
        return _durable(what, location(outcome), HTTPStatus.ACCEPTED if new else HTTPStatus.OK)
    if isinstance(outcome.problem, DuplicateReport):  # as in a Bundle: sending it again is no mistake
        where = report_location(outcome.problem.extensions["report_id"])
        return _durable("report", where, HTTPStatus.OK)
    raise outcome.problem


def _durable(what: str, where: str, status: HTTPStatus) -> JSONResponse:
    said = {"severity": "information", "code": "informational", "diagnostics": f"The {what} is durable."}
    answer = _fhir({"resourceType": "OperationOutcome", "issue": [said]}, status)
    answer.headers["location"] = where
    return answer


def refused(problem: CurbsideError, request: Request) -> JSONResponse:
    """A problem with `request`, as FHIR says it."""
    return _refused(problem)


def _refused(problem: CurbsideError) -> JSONResponse:
    answer = _fhir(operation_outcome([problem]), problem.status)
    if "retry_after" in problem.extensions:
        answer.headers["retry-after"] = str(problem.extensions["retry_after"])
    return answer


def _fhir(resource: dict[str, Any], status: HTTPStatus) -> JSONResponse:
    return _Fhir(resource, int(status))


def _capabilities() -> dict[str, Any]:
    kinds = [{"type": kind, "interaction": [{"code": "create"}]} for kind in FHIR_TYPES]
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
