"""A run: so many cases against one server, half made of its OpenAPI by schemathesis and half our own."""

from __future__ import annotations

import json
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from curbside.testing.fuzzing.bodies import odd_bodies, odd_lines
from curbside.testing.fuzzing.documents import odd_documents, odd_fhir, odd_hl7, shared_documents
from curbside.testing.fuzzing.exchanging import Answer, Exchange, Hang, exchange
from curbside.testing.fuzzing.judging import Judge

_SHOWN: Final = 5  # cases of each complaint
# Shares of what is not made of the OpenAPI.
_OURS: Final = {"bodies": 8, "lines": 3, "documents": 3, "fhir": 3, "hl7": 3}


@dataclass
class Outcome:
    """What came of a run. `complaints` are what was wrong, with a case or more of each."""

    cases: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    complaints: Counter[str] = field(default_factory=Counter)
    shown: dict[str, list[str]] = field(default_factory=dict)
    cut: int = 0  # connections that were closed on a body not read to its end
    slowest: float = 0.0  # seconds

    def count(self, *words: str) -> int:
        return sum(number for said, number in self.complaints.items() if any(word in said for word in words))

    def complain(self, said: str, case: str) -> None:
        self.complaints[said] += 1
        shown = self.shown.setdefault(said, [])
        if len(shown) < _SHOWN:
            shown.append(case)


@dataclass(frozen=True)
class Fuzzing:
    """`deadline` is in seconds, for each request. The same `number` makes the same cases."""

    url: str
    token: str
    shared: Path
    deadline: float = 20.0
    number: int = 5

    def run(self, cases: int, *, progress: Callable[[Outcome], None] = lambda _: None) -> Outcome:
        with urllib.request.urlopen(f"{self.url}/openapi.json", timeout=self.deadline) as answer:  # noqa: S310
            document = json.load(answer)
        outcome, judge = Outcome(), Judge(document)
        self._of_the_openapi(document, cases // 2, judge, outcome, progress)
        documents = shared_documents(self.shared)
        strategies: dict[str, st.SearchStrategy[Exchange]] = {
            "bodies": odd_bodies(self.token),
            "lines": odd_lines(self.token),
            "documents": odd_documents(self.token, documents),
            "fhir": odd_fhir(self.token),
            "hl7": odd_hl7(self.token),
        }
        left = max(0, cases - outcome.cases)
        for name, strategy in strategies.items():
            self._ours(strategy, -(-left * _OURS[name] // sum(_OURS.values())), judge, outcome)
            progress(outcome)
        return outcome

    def _each(self, strategy: st.SearchStrategy[Any], cases: int, check: Callable[[Any], None]) -> None:
        @seed(self.number)
        @settings(
            max_examples=max(1, cases),
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=[*HealthCheck],
        )
        @given(strategy)
        def run(case: Any) -> None:
            check(case)

        run()

    def _ours(
        self, strategy: st.SearchStrategy[Exchange], cases: int, judge: Judge, outcome: Outcome
    ) -> None:
        parts = urlsplit(self.url)
        address = parts.hostname or "127.0.0.1", parts.port or 80

        def check(sent: Exchange) -> None:
            outcome.cases += 1
            try:
                answer = exchange(sent, address, deadline=self.deadline)
            except Hang:
                outcome.complain("hang", str(sent))
                return
            except ConnectionError as error:
                outcome.complain(f"no answer: {error}", str(sent))
                return
            if answer is None:
                outcome.cut += 1
                return
            _judged(judge, sent.method, sent.target, answer, outcome, str(sent))

        self._each(strategy, cases, check)

    def _of_the_openapi(
        self,
        document: dict[str, Any],
        cases: int,
        judge: Judge,
        outcome: Outcome,
        progress: Callable[[Outcome], None],
    ) -> None:
        """Cases that fit the schema and cases that do not, for every operation, held against the schema."""
        import requests
        import schemathesis
        from schemathesis import GenerationMode, checks
        from schemathesis.core import result
        from schemathesis.core.failures import FailureGroup
        from schemathesis.specs.openapi import checks as conformance

        schema = schemathesis.openapi.from_dict(document)
        held: Sequence[Any] = (
            checks.not_a_server_error,
            conformance.status_code_conformance,
            conformance.content_type_conformance,
            conformance.response_headers_conformance,
            conformance.response_schema_conformance,
        )
        operations = [found.ok() for found in schema.get_all_operations() if isinstance(found, result.Ok)]
        media = {media for one in operations for media in _media(one)}
        unknown = [one for one in media if schema.transport.get_first_matching_media_type(one) is None]
        schemathesis.serializer(*unknown)(_as_it_is)
        session = requests.Session()

        def check(case: Any) -> None:
            outcome.cases += 1
            place = f"{case.method} {case.path} {case.path_parameters} {case.query}"
            sent = f"{place} {case.media_type} {case.body!r}"
            began = time.monotonic()
            try:
                response = case.call(
                    base_url=self.url,
                    session=session,
                    headers={"authorization": f"Bearer {self.token}"},
                    timeout=self.deadline,
                )
            except requests.Timeout:
                outcome.complain("hang", sent[:500])
                return
            except requests.ConnectionError as error:
                outcome.complain(f"no answer: {type(error).__name__}", sent[:500])
                return
            seconds = time.monotonic() - began
            headers = {name: values[0] for name, values in response.headers.items()}
            answer = Answer(response.status_code, headers, response.content, seconds)
            _judged(judge, case.method, urlsplit(response.request.url).path, answer, outcome, sent[:500])
            try:
                case.validate_response(response, checks=list(held))
            except FailureGroup as failures:
                for failure in failures.exceptions:
                    outcome.complain(f"schemathesis: {failure.title}", sent[:500])

        with session:
            for operation in operations:
                # What has a body has more that can be wrong with it.
                weight = 3 if operation.method.upper() == "POST" else 1
                total = sum(3 if one.method.upper() == "POST" else 1 for one in operations)
                each = max(2, cases * weight // total // 2)
                for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
                    if mode is GenerationMode.NEGATIVE and not (operation.body or _parameters(operation)):
                        continue  # there is nothing that could be negated
                    self._each(operation.as_strategy(generation_mode=mode), each, check)
                progress(outcome)


def _media(operation: Any) -> list[str]:
    return [*operation.definition.raw.get("requestBody", {}).get("content", {})]


def _as_it_is(_: object, value: object) -> bytes:
    """A text or bytes of a media type that schemathesis does not know, as they are."""
    if isinstance(value, bytes):
        return value
    if data := getattr(value, "data", None):
        return bytes(data)
    return (value if isinstance(value, str) else json.dumps(value)).encode("utf-8", "surrogatepass")


def _parameters(operation: Any) -> bool:
    return any([*operation.path_parameters, *operation.query, *operation.headers])


def _judged(judge: Judge, method: str, target: str, answer: Answer, outcome: Outcome, case: str) -> None:
    outcome.slowest = max(outcome.slowest, answer.seconds)
    outcome.statuses[str(answer.status)] += 1
    for said in judge.complaints(method, target, answer):
        outcome.complain(
            f"{method} {urlsplit(target).path[:60]}: {said}", f"{case}\n    {answer.body[:300]!r}"
        )
