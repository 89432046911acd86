"""What every answer of the API must be, whatever was asked: documented, a problem where it refuses, and
silent about what went on inside and about what it was sent."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from jsonschema import Draft202012Validator

from curbside.runtime.openapi import PROBLEM_SCHEMA
from curbside.runtime.problems import PROBLEM
from curbside.testing.fuzzing.exchanging import Answer

# Words of patients in what is sent; an answer that refuses must not say them.
CANARY: Final = "Katzenbach"
# What may pass by itself: a full queue, a parser that was killed, a full disk.
DELIBERATE: Final = frozenset({503, 507})
_BESIDE: Final = frozenset({"/openapi.json", "/docs"})
_TRACES: Final = (
    b"Traceback (most recent call last)",
    b'File "/',
    b'File \\"/',
    b"site-packages",
    b"sqlalchemy.exc",
)
# What the server says itself of what is no HTTP: no route ever saw it.
_NO_HTTP: Final = b"Invalid HTTP request received."
# What names something in the request that was wrong.
_NAMES_A_FIELD: Final = frozenset({400, 401, 403, 409, 410, 412, 413, 415, 422, 460})


class Judge:
    """Judges answers by the OpenAPI `document` of who gave them."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._components = document["components"]
        self._problem = Draft202012Validator(PROBLEM_SCHEMA)
        self._operations: list[tuple[re.Pattern[str], dict[str, Any]]] = []
        for path, methods in document["paths"].items():
            parts = re.split(r"\{[^}]+\}", path)
            pattern = "[^/]+".join(re.escape(part) for part in parts)
            self._operations.append((re.compile(pattern), methods))

    def complaints(self, method: str, target: str, answer: Answer) -> Iterator[str]:
        """What is wrong with `answer`, one sentence each."""
        if answer.status == 400 and answer.body == _NO_HTTP:
            return
        if answer.status >= 500 and answer.status not in DELIBERATE:
            yield f"server error {answer.status}"
        if any(trace in answer.body for trace in _TRACES):
            yield "a traceback in the answer"
        if answer.status >= 400 and CANARY.encode() in answer.body and answer.media != "application/hl7-v2":
            yield "a refusal that quotes the request"
        operation = self._operation(method, target)
        if operation is None:
            if answer.status < 300 and urlsplit(target).path not in _BESIDE:
                yield f"{answer.status} where no operation is documented"
            elif answer.status >= 400 and method != "HEAD":
                yield from self._refusal(answer)
            return
        documented = operation["responses"].get(str(answer.status))
        if documented is None:
            yield f"undocumented status {answer.status}"
            return
        content = documented.get("content", {})
        if not content:
            if answer.media or answer.body:
                yield f"content of a {answer.status} that is documented without any"
        elif answer.media not in content:
            yield f"undocumented media type {answer.media!r} of a {answer.status}"
            return
        if method == "HEAD":  # whose answers have the headers of a body, and none
            if answer.body:
                yield "a body where HEAD was asked"
        elif answer.media == PROBLEM:
            yield from self._refusal(answer)
        elif content and answer.media.endswith("json"):
            yield from self._shape(answer, content[answer.media].get("schema", {}))
        if answer.status == 429 and not answer.headers.get("retry-after", "").isdigit():
            yield "a 429 without Retry-After"
        if answer.status == 401 and "www-authenticate" not in answer.headers:
            yield "a 401 without WWW-Authenticate"

    def _operation(self, method: str, target: str) -> dict[str, Any] | None:
        path = unquote(urlsplit(target).path)
        for pattern, methods in self._operations:
            if pattern.fullmatch(path) and method.casefold() in methods:
                operation: dict[str, Any] = methods[method.casefold()]
                return operation
        return None

    def _refusal(self, answer: Answer) -> Iterator[str]:
        if answer.media != PROBLEM:
            yield f"a {answer.status} that is no problem but {answer.media!r}"
            return
        try:
            problem = json.loads(answer.body)
        except ValueError:
            yield "a problem that is no JSON"
            return
        for error in self._problem.iter_errors(problem):
            yield f"a problem that is not built as one: {error.message[:200]}"
            return
        if problem["status"] != answer.status:
            yield f"a problem of {problem['status']} with a status of {answer.status}"
        if answer.status in _NAMES_A_FIELD and not problem.get("field"):
            yield f"{problem['code']} names no field"
        if answer.status in _NAMES_A_FIELD and not problem.get("mend"):
            yield f"{problem['code']} names no mend"

    def _shape(self, answer: Answer, schema: dict[str, Any]) -> Iterator[str]:
        try:
            body = json.loads(answer.body)
        except ValueError:
            yield f"{answer.media} that is no JSON"
            return
        for error in Draft202012Validator({**schema, "components": self._components}).iter_errors(body):
            yield f"not of its schema at {error.json_path}: {error.message[:200]}"
            return
