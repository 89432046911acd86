"""Bodies, answers and refusals as /openapi.json has them, each with its examples by name."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from curbside.runtime.openapi import COMMON, Responses, refusals
from curbside.runtime.problems import PROBLEM

Shown = Mapping[str, Any]  # examples by name
# What a request that brings something may be refused with.
BRINGING: Final = (
    HTTPStatus.CONFLICT,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.INSUFFICIENT_STORAGE,
)


def body(content: Mapping[str, tuple[Shown, Shown]], *parameters: Shown) -> dict[str, Any]:
    """A request's body: by media type its schema, and its examples by name. `parameters` stand beside it."""
    described: dict[str, Any] = {}
    for media, (schema, examples) in content.items():
        described[str(media)] = {"schema": schema} | (
            {"examples": {name: {"value": value} for name, value in examples.items()}} if examples else {}
        )
    return {"requestBody": {"required": True, "content": described}} | (
        {"parameters": [*parameters]} if parameters else {}
    )


def answered(status: HTTPStatus, said: str, media: str, schema: Shown, **examples: object) -> Responses:
    named = {name: {"value": value} for name, value in examples.items()}
    content = {"examples": named} | ({"schema": schema} if schema else {})
    return {int(status): {"description": said, "content": {media: content}}}


def refused(
    *statuses: HTTPStatus, media: str = "", schema: Shown | None = None, **examples: Any
) -> Responses:
    """The refusals of `statuses`, and of those that any route knows; examples of problems, by name. `media`
    may stand in a problem's place."""
    also = {media: {"schema": schema}} if media else None
    documented = refusals(*COMMON) | refusals(*statuses, also=also)
    for name, problem in examples.items():
        shown = documented[problem["status"]]["content"][PROBLEM]
        shown.setdefault("examples", {})[name] = {"value": problem}
    return documented
