"""Errors as answers of HTTP: problem+json (RFC 9457)."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from fastapi.responses import JSONResponse

from curbside.errors import CurbsideError

PROBLEM: Final = "application/problem+json"


def problem_response(error: CurbsideError, instance: str | None = None) -> JSONResponse:
    headers = {"www-authenticate": "Bearer"} if error.status == HTTPStatus.UNAUTHORIZED else {}
    if "retry_after" in error.extensions:  # seconds, RFC 9110, 10.2.3
        headers["retry-after"] = str(error.extensions["retry_after"])
    if error.status == HTTPStatus.REQUEST_TIMEOUT:  # the rest of the body is not waited for: RFC 9110, 15.5.9
        headers["connection"] = "close"
    return JSONResponse(error.problem(instance), int(error.status), headers=headers, media_type=PROBLEM)
