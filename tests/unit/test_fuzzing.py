"""The judge of benchmarks/api_fuzz.py finds what it looks for, and an answer that never comes is a hang."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from curbside.errors import BadInput
from curbside.runtime.openapi import refusals
from curbside.runtime.problems import PROBLEM
from curbside.testing.fuzzing.exchanging import Answer, Exchange, Framing, Hang, exchange
from curbside.testing.fuzzing.judging import CANARY, Judge

SHAPE = {"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}}}
DOCUMENT = {
    "paths": {
        "/things/{id}": {
            "post": {
                "responses": {
                    "200": {"content": {"application/json": {"schema": SHAPE}}},
                    **{str(status): said for status, said in refusals(BadInput.status).items()},
                }
            },
            "head": {"responses": {"422": refusals(BadInput.status)[422]}},
            "delete": {"responses": {"204": {"description": "gone"}}},
        }
    },
    "components": {"schemas": {}},
}
REFUSAL = BadInput("it is wrong", field="id", mend="Mend it.").problem()


def judged(
    status: int, body: object, media: str = PROBLEM, *, method: str = "POST", path: str = "/things/1"
) -> list[str]:
    answer = Answer(status, {"content-type": media}, json.dumps(body).encode())
    return [*Judge(DOCUMENT).complaints(method, path, answer)]


def test_what_is_documented_is_let_by() -> None:
    assert not judged(200, {"id": "a"}, "application/json")
    assert not judged(422, REFUSAL)
    assert not judged(404, {**REFUSAL, "status": 404}, path="/others")


@pytest.mark.parametrize(
    ("status", "body", "media", "said"),
    [
        (500, REFUSAL, PROBLEM, "server error 500"),
        (204, {}, "application/json", "undocumented status 204"),
        (200, {"id": "a"}, "text/html", "undocumented media type 'text/html'"),
        (200, {"id": 5}, "application/json", "not of its schema at $.id"),
        (422, {**REFUSAL, "detail": f"{CANARY} is wrong"}, PROBLEM, "a refusal that quotes the request"),
        (422, {**REFUSAL, "detail": 'File "/srv/app.py", line 5'}, PROBLEM, "a traceback in the answer"),
        (422, {"x": "Traceback (most recent call last)"}, PROBLEM, "a traceback in the answer"),
        (422, {"code": "a"}, PROBLEM, "not built as one"),
        (422, {**REFUSAL, "status": 400}, PROBLEM, "with a status of 422"),
        (422, {k: v for k, v in REFUSAL.items() if k != "field"}, PROBLEM, "names no field"),
        (422, {k: v for k, v in REFUSAL.items() if k != "mend"}, PROBLEM, "names no mend"),
    ],
)
def test_what_is_not_is_said(status: int, body: object, media: str, said: str) -> None:
    assert said in "; ".join(judged(status, body, media))


def test_a_route_that_nobody_documented_may_not_answer() -> None:
    assert judged(200, {}, path="/others") == ["200 where no operation is documented"]
    assert judged(404, {}, "text/html", path="/others") == ["a 404 that is no problem but 'text/html'"]


def answered(method: str, status: int, media: str, body: bytes) -> list[str]:
    answer = Answer(status, {"content-type": media} if media else {}, body)
    return [*Judge(DOCUMENT).complaints(method, "/things/1", answer)]


def test_an_answer_without_content_is_documented_by_none_and_one_of_head_has_no_body() -> None:
    assert not answered("DELETE", 204, "", b"")
    assert answered("DELETE", 204, "text/plain", b"gone") == [
        "content of a 204 that is documented without any"
    ]
    assert not answered("HEAD", 422, PROBLEM, b"")
    assert answered("HEAD", 422, PROBLEM, b"{}") == ["a body where HEAD was asked"]


@contextmanager
def server(answer: bytes | None) -> Iterator[tuple[str, int]]:
    """Takes one connection, and says `answer`, or nothing until the client is gone."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65_536)
                if answer is None:
                    connection.recv(65_536)
                else:
                    connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[:2]
        thread.join()


def test_an_answer_that_does_not_come_is_a_hang() -> None:
    with server(None) as address, pytest.raises(Hang):
        exchange(Exchange("GET", "/"), address, deadline=0.05)


def test_a_connection_that_closes_without_an_answer_is_told_from_one_that_was_not_owed_any() -> None:
    with server(b"") as address, pytest.raises(ConnectionError):
        exchange(Exchange("GET", "/"), address, deadline=5)
    with server(b"") as address:
        assert exchange(Exchange("POST", "/", body=b"a", framing=Framing.SHORT), address, deadline=5) is None


def test_a_request_goes_out_as_it_was_made() -> None:
    made = Exchange("POST", "/a", [("x", "\xe9")], b"abcd", Framing.CHUNKED)
    head, _, body = made.wire("h").partition(b"\r\n\r\n")
    assert head.endswith(b"x: \xe9\r\ntransfer-encoding: chunked")
    assert body == b"2\r\nab\r\n2\r\ncd\r\n0\r\n\r\n"
    with server(b"HTTP/1.1 422 No\r\ncontent-length: 2\r\ncontent-type: A/B; c\r\n\r\n{}") as address:
        answer = exchange(made, address, deadline=5)
    assert answer is not None
    assert (answer.status, answer.media, answer.body) == (422, "a/b", b"{}")
