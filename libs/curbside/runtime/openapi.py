"""What /openapi.json says beyond the routes' own signatures: the refusals, and the shape of a problem."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI

from curbside.runtime.problems import PROBLEM

REF: Final = {"$ref": "#/components/schemas/Problem"}
Responses = dict[int | str, dict[str, Any]]

PROBLEM_SCHEMA: Final[dict[str, Any]] = {
    "title": "Problem",
    "description": "Why a request was refused (RFC 9457). `code` is stable; `field` names what was wrong, "
    "`mend` says what to do. Some problems have members of their own. None quotes the request.",
    "type": "object",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": {"type": "string", "examples": ["urn:curbside:problem:report.empty"]},
        "title": {"type": "string"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string"},
        "code": {"type": "string", "examples": ["report.empty"]},
        "field": {"type": "string"},
        "mend": {"type": "string"},
        "instance": {"type": "string"},
        "retry_after": {"type": "integer", "minimum": 0, "description": "seconds, as in Retry-After"},
    },
}
_MEANINGS: Final = {
    HTTPStatus.BAD_REQUEST: "A header is not written as it must be: `field` and `mend` say which and how.",
    HTTPStatus.UNAUTHORIZED: "No valid token was sent.",
    HTTPStatus.FORBIDDEN: "The token's roles do not carry the scope of this route.",
    HTTPStatus.NOT_FOUND: "There is no such thing, or it is another tenant's.",
    HTTPStatus.REQUEST_TIMEOUT: "The body stopped coming.",
    HTTPStatus.CONFLICT: "It contradicts what is already there.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The body, or what it holds, is larger than is taken.",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "It is of no type that is read here.",
    HTTPStatus.UNPROCESSABLE_ENTITY: "The request cannot be accepted as it is: `field` and `mend` say why.",
    HTTPStatus.TOO_MANY_REQUESTS: "Too much is under way: ask again after the seconds of Retry-After.",
    HTTPStatus.SERVICE_UNAVAILABLE: "Something that it needs does not answer; it may succeed later.",
    HTTPStatus.INSUFFICIENT_STORAGE: "No space is left; nothing was taken in.",
}
_WAIT: Final = {
    "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 0}}
}
# What any route that asks for rights may answer.
COMMON: Final = (
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.SERVICE_UNAVAILABLE,
)


def refusals(*statuses: HTTPStatus, also: Mapping[str, Any] | None = None) -> Responses:
    """The documented responses of `statuses`: problems. `also` are contents that may stand in their place."""
    return refusals_as({status: _MEANINGS[status] for status in statuses}, also=also)


def refusals_as(said: Mapping[int, str], *, also: Mapping[str, Any] | None = None) -> Responses:
    """Likewise, of the statuses in `said`, in its words: what a route means by them, or that HTTP has none of
    them."""
    documented: Responses = {}
    for status, words in said.items():
        content: dict[str, Any] = {PROBLEM: {"schema": REF}}
        documented[int(status)] = {
            "description": words,
            "content": content | {media: {"schema": schema} for media, schema in (also or {}).items()},
        }
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            documented[int(status)]["headers"] = _WAIT
    return documented


def describe_problems(app: FastAPI) -> None:
    """Add the schema of a problem to what `app` says of itself; FastAPI knows only those of its models."""
    described = app.openapi

    def with_problems() -> dict[str, Any]:
        document = described()
        document.setdefault("components", {}).setdefault("schemas", {})["Problem"] = PROBLEM_SCHEMA
        return document

    app.openapi = with_problems  # type: ignore[method-assign]  # FastAPI's own way to extend it
