"""Senders that post their reports in order, each again and again until it is acknowledged."""

from __future__ import annotations

import http.client
import json
import random
import socket
import threading
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from curbside.testing.intake.posts import Paper, Post, Way
from curbside.testing.progress import Progress

_AGAIN_SECONDS: Final = 0.05
_PATIENCE_SECONDS: Final = 120  # for one answer
_MLLP_START, _MLLP_END = b"\x0b", b"\x1c\r"


class Disagreement(Exception):
    """An answer that no retry mends: it says what is not true of the post, or refuses a good one."""


@dataclass(frozen=True)
class Address:
    http_port: int
    mllp_port: int
    token: str


class Sender(threading.Thread):
    """Sends `posts` one after another. `order` are the reports of each patient as they were acknowledged."""

    def __init__(self, posts: Sequence[Post], address: Address, progress: Progress) -> None:
        super().__init__(daemon=True)
        self._posts = posts
        self._address = address
        self._progress = progress
        self._http: http.client.HTTPConnection | None = None
        self._mllp: socket.socket | None = None
        self.order: dict[str, list[Paper]] = defaultdict(list)
        self.done = False

    def run(self) -> None:
        try:
            for post in self._posts:
                known = {id(paper) for paper in post.papers if paper.acknowledged}
                self._send_until_acknowledged(post)
                for paper in post.papers:
                    if paper.patient and id(paper) not in known:
                        self.order[paper.patient].append(paper)
            self.done = True
        except BaseException as error:
            self._progress.fail(error)
        finally:
            self._hang_up()

    def _send_until_acknowledged(self, post: Post) -> None:
        while not self._send(post):
            if self._progress.stop.wait(_AGAIN_SECONDS):
                raise RuntimeError("stopped before everything was acknowledged")

    def _send(self, post: Post) -> bool:
        try:
            if post.way is Way.MLLP:
                return self._read_hl7(post, self._over_mllp(post.content))
            status, headers, body = self._over_http(post)
        except (OSError, http.client.HTTPException):
            self._hang_up()
            self._note("nothing")
            return False
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.TOO_MANY_REQUESTS:
            self._note(str(status))
            return False
        match post.way:
            case Way.ONE:
                return self._read_one(post, status, json.loads(body))
            case Way.BATCH:
                return self._read_batch(post, json.loads(body))
            case Way.FHIR:
                return self._read_fhir(post, status, headers)
            case Way.BUNDLE:
                return self._read_bundle(post, status, json.loads(body))
        return self._read_hl7(post, body)

    def _over_http(self, post: Post) -> tuple[int, Mapping[str, str], bytes]:
        if self._http is None:
            self._http = http.client.HTTPConnection(
                "127.0.0.1", self._address.http_port, timeout=_PATIENCE_SECONDS
            )
        headers = {"authorization": f"Bearer {self._address.token}", "content-type": post.media}
        self._http.request("POST", f"/ingestion/{post.path}", post.content, headers)
        answer = self._http.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()

    def _over_mllp(self, message: bytes) -> bytes:
        if self._mllp is None:
            self._mllp = socket.create_connection(("127.0.0.1", self._address.mllp_port), _PATIENCE_SECONDS)
        self._mllp.sendall(_MLLP_START + message + _MLLP_END)
        answer = b""
        while not answer.endswith(_MLLP_END):
            chunk = self._mllp.recv(65_536)
            if not chunk:
                raise ConnectionError("the listener hung up")
            answer += chunk
        return answer

    def _note(self, answer: str, papers: Sequence[Paper] = ()) -> None:
        """Count `answer`, which acknowledges `papers`; another sender may have brought one of them too."""
        with self._progress.changed:
            new = [paper for paper in papers if not paper.acknowledged]
            for paper in new:
                paper.acknowledged = True
            self._progress.note(answer, acknowledged=len(new))

    def _hang_up(self) -> None:
        for connection in (self._http, self._mllp):
            if connection is not None:
                connection.close()
        self._http = self._mllp = None

    def _read_one(self, post: Post, status: int, body: Mapping[str, Any]) -> bool:
        code = str(body.get("code", ""))
        if post.refused:
            if code != post.refused:
                raise Disagreement(f"answered {status} {code!r} instead of {post.refused!r}")
            self._note(code)
            return True
        (paper,) = post.papers
        if status == HTTPStatus.ACCEPTED or code == "report.duplicate":
            _learn(paper, str(body["report_id"]))
            self._note(code or str(status), [paper])
            return True
        raise Disagreement(f"answered {status} {code!r}")

    def _read_batch(self, post: Post, body: Mapping[str, Any]) -> bool:
        for row in body.get("accepted", []):
            paper = post.papers[row["row"] - 1]
            _learn(paper, str(row["report_id"]))
            self._note("202", [paper])
        if "rejected" not in body:
            raise Disagreement(f"a batch was answered {body.get('status')} {body.get('code')!r}")
        for row in body["rejected"]:
            problem = row["problem"]
            if problem["code"] == "report.duplicate":
                paper = post.papers[row["row"] - 1]
                _learn(paper, str(problem["report_id"]))
                self._note(problem["code"], [paper])
            elif problem["status"] < HTTPStatus.INTERNAL_SERVER_ERROR and problem["status"] != 429:
                raise Disagreement(f"a row of a batch was answered {problem['code']!r}")
            else:
                self._note(str(problem["status"]))
        return all(paper.acknowledged for paper in post.papers)

    def _read_fhir(self, post: Post, status: int, headers: Mapping[str, str]) -> bool:
        if status not in (HTTPStatus.OK, HTTPStatus.ACCEPTED):
            raise Disagreement(f"a FHIR report was answered {status}")
        (paper,) = post.papers
        _learn(paper, headers["location"].rpartition("/")[2])
        self._note(str(status), [paper])
        return True

    def _read_bundle(self, post: Post, status: int, body: Mapping[str, Any]) -> bool:
        if status != HTTPStatus.OK:
            raise Disagreement(f"a bundle was answered {status}")
        for paper, entry in zip(post.papers, body["entry"], strict=True):
            response = entry["response"]
            said = int(response["status"][:3])
            if said in (HTTPStatus.OK, HTTPStatus.ACCEPTED):
                _learn(paper, response["location"].rpartition("/")[2])
                self._note(str(said), [paper])
            elif said < HTTPStatus.INTERNAL_SERVER_ERROR and said != HTTPStatus.TOO_MANY_REQUESTS:
                raise Disagreement(f"a bundle's entry was answered {said}")
            else:
                self._note(str(said))
        return all(paper.acknowledged for paper in post.papers)

    def _read_hl7(self, post: Post, body: bytes) -> bool:
        if b"\rMSA|AA|" in body:
            self._note("AA", post.papers)
            return True
        if b"^207&" not in body and b"|207^" not in body:
            raise Disagreement("a message was not answered with AA")
        self._note("AE 207")
        return False


def _learn(paper: Paper, report_id: str) -> None:
    """Note the id of `paper`: whoever sends it, and however often, is told the same."""
    if paper.report_id not in ("", report_id):
        raise Disagreement(f"one report was called {paper.report_id} and then {report_id}")
    paper.report_id = report_id


def start_senders(
    posts: Sequence[Sequence[Post]],
    shared: Sequence[Post],
    address: Address,
    progress: Progress,
    rng: random.Random,
) -> list[Sender]:
    """A sender for each of `posts`; each of `shared` is sent by two of them, at about the same time."""
    own = [list(one) for one in posts]
    for post in shared:
        part = rng.random()
        for chosen in rng.sample(own, 2):
            chosen.insert(int(part * len(chosen)), post)
    senders = [Sender(one, address, progress) for one in own]
    for sender in senders:
        sender.start()
    return senders
