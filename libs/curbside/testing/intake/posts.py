"""What is posted: each report once, in one of many shapes, and some again, amended, retracted, contradicted.

A patient's reports are posted by one sender, one after another, so that there is an order to be kept.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from curbside.testing.intake import papers

SOURCE: Final = "chaos"
_WORDS: Final = tuple(
    b"patient reports stable pain left knee lungs clear effusion regular weeks lisinopril daily without "
    b"change findings unchanged prior follow up heart rate".decode().split()
)
_OF_A_PATIENT: Final = (4, 9)  # reports
_BATCH_ROWS: Final = (20, 60)
_DOCUMENTS: Final = (
    (papers.html, "text/html"),
    (papers.rtf, "application/rtf"),
    (papers.docx, "application/octet-stream"),
    (papers.pdf, "application/pdf"),
)
# Of a hundred posts that are no part of a batch, how many have which shape.
_SHAPES: Final = {"json": 76, "document": 6, "fhir": 4, "transaction": 2, "hl7": 4, "zip": 1}
_SECOND: Final = {"again": 0.04, "amended": 0.05, "contradicted": 0.02, "retracted": 0.01}


class Way(StrEnum):
    """How a post is sent and how its answer is read."""

    ONE = "one"
    BATCH = "batch"
    FHIR = "fhir"
    BUNDLE = "bundle"
    HL7 = "hl7"
    MLLP = "mllp"


@dataclass(eq=False)
class Paper:
    """A report that is to be stored once. `stored` is a fingerprint of its original; `words` stand in its
    text, and none in a retraction's. `states` are those that it goes through, `report_id` is there once it is
    acknowledged by a way that says it."""

    stored: str
    words: str
    patient: str
    waits: bool = False  # for its text
    states: list[str] = field(default_factory=lambda: ["pending"])
    acknowledged: bool = False
    report_id: str = ""


@dataclass(eq=False)
class Post:
    """One request with its reports, in the order of its rows. `refused` is the code of the only right answer
    where that is none of them."""

    way: Way
    path: str
    media: str
    content: bytes
    papers: list[Paper]
    refused: str = ""


def fingerprint(original: bytes) -> str:
    """Of an original, whatever entries it was given along with: a bundle's report is its resource."""
    if original.startswith(b'{"entry":[') and b'"collection"' in original[-64:]:
        return resource_fingerprint(json.loads(original)["entry"][0]["resource"])
    return hashlib.sha256(original).hexdigest()


def resource_fingerprint(resource: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(resource, sort_keys=True).encode()).hexdigest()


def write_posts(rng: random.Random, prefix: str, count: int, *, documents: bool = True) -> list[Post]:
    """Posts of `count` reports, those that are sent again or refused not counted; without `documents` none
    waits for its text."""
    writer = _Writer(rng, prefix)
    shapes = {name: often for name, often in _SHAPES.items() if documents or name not in ("document", "zip")}
    posts: list[Post] = []
    while writer.count < count:
        if rng.random() < 0.004:
            posts.append(writer.batch(min(rng.randint(*_BATCH_ROWS), count - writer.count)))
            continue
        shape = rng.choices([*shapes], [*shapes.values()])[0]
        post = writer.post(shape)
        posts.append(post)
        if shape == "json":
            posts += writer.after(post)
    return posts


def write_shared(rng: random.Random, prefix: str, count: int) -> list[Post]:
    """Posts that several senders send at once: no order is among them."""
    writer = _Writer(rng, prefix)
    posts = [writer.post("json") for _ in range(count)]
    for post in posts:
        for paper in post.papers:
            paper.patient = ""
    return posts


class _Writer:
    def __init__(self, rng: random.Random, prefix: str) -> None:
        self._rng = rng
        self._prefix = prefix
        self.count = 0
        self._left = 0
        self._patient = ""

    def post(self, shape: str) -> Post:
        match shape:
            case "document":
                return self._document()
            case "fhir":
                return self._fhir()
            case "transaction":
                return self._transaction()
            case "hl7":
                return self._hl7()
            case "zip":
                return self._zip()
        body, words = self._row()
        content = json.dumps(body).encode()
        return Post(Way.ONE, "v1/reports", "application/json", content, [self._paper(content, words)])

    def after(self, first: Post) -> Iterator[Post]:
        """What a sender may send behind `first`: itself, or another version of it."""
        (paper,) = first.papers
        row: dict[str, Any] = json.loads(first.content)
        kind = self._rng.choices([*_SECOND, ""], [*_SECOND.values(), 1 - sum(_SECOND.values())])[0]
        if kind == "again":
            yield first
        elif kind == "contradicted":
            content = json.dumps(row | {"text": self._words()}).encode()
            yield Post(Way.ONE, "v1/reports", "application/json", content, [], refused="report.changed")
        elif kind == "amended":
            words = self._words()
            content = json.dumps(row | {"text": words, "status": "amended"}).encode()
            paper.states.append("superseded")
            amended = self._paper(content, words, patient=paper.patient)
            yield Post(Way.ONE, "v1/reports", "application/json", content, [amended])
        elif kind == "retracted":
            content = json.dumps({**row, "text": "", "status": "entered-in-error"}).encode()
            paper.states.append("withdrawn")
            gone = self._paper(content, "", patient=paper.patient)
            gone.states = ["withdrawn"]
            yield Post(Way.ONE, "v1/reports", "application/json", content, [gone])

    def batch(self, rows: int) -> Post:
        lines, written = [], []
        for _ in range(max(rows, 1)):
            body, words = self._row()
            line = json.dumps(body).encode()
            lines.append(line)
            written.append(self._paper(line, words))
        return Post(Way.BATCH, "v1/reports:batch", "application/x-ndjson", b"\n".join(lines), written)

    def _document(self) -> Post:
        make, media = self._rng.choice(_DOCUMENTS)
        words = self._words()
        data = make(words)
        if self._rng.random() < 0.3:  # without a patient: told by its content alone
            return Post(
                Way.ONE, "v1/reports", media, data, [self._paper(data, words, waits=True, patient="")]
            )
        paper = self._paper(data, words, waits=True, patient=self._next_patient())
        said = {"external_id": self._id(), "patient_id": paper.patient, "source": SOURCE}
        return Post(Way.ONE, "v1/reports", papers.FORM, papers.form(data, said), [paper])

    def _fhir(self) -> Post:
        words = self._words()
        resource = papers.fhir_report(self._id(), self._next_patient(), words)
        content = json.dumps(resource).encode()
        paper = self._paper(content, words, patient=self._patient)
        return Post(Way.FHIR, "fhir/DiagnosticReport", "application/fhir+json", content, [paper])

    def _transaction(self) -> Post:
        kind = self._rng.choice(("transaction", "batch"))
        resources, written = [], []
        for _ in range(self._rng.randint(2, 4)):
            words = self._words()
            resource = papers.fhir_report(self._id(), self._next_patient(), words)
            resources.append(resource)
            paper = self._paper(b"", words, patient=self._patient)
            paper.stored = resource_fingerprint(resource)
            written.append(paper)
        content = papers.fhir_bundle(kind, resources)
        return Post(Way.BUNDLE, "fhir", "application/fhir+json", content, written)

    def _hl7(self) -> Post:
        words = self._words()
        content = papers.hl7(self._id(), self._next_patient(), words)
        paper = self._paper(content, words, patient=self._patient)
        way = Way.MLLP if self._rng.random() < 0.5 else Way.HL7
        return Post(way, "hl7", "application/hl7-v2", content, [paper])

    def _zip(self) -> Post:
        files: dict[str, bytes] = {}
        written = []
        for number in range(self._rng.randint(2, 4)):
            words = self._words()
            data = papers.html(words) if number else f"FINDINGS: {words}".encode()
            files[f"{self._id()}.txt"] = data
            written.append(self._paper(data, words, waits=bool(number), patient=""))
        return Post(Way.BATCH, "v1/reports:batch", "application/zip", papers.archive(files), written)

    def _row(self) -> tuple[dict[str, Any], str]:
        words = self._words()
        body = {
            "text": f"FINDINGS: {words}",
            "external_id": self._id(),
            "patient_id": self._next_patient(),
            "type": "radiology",
            "source": SOURCE,
        }
        return body, words

    def _paper(
        self, original: bytes, words: str, *, waits: bool = False, patient: str | None = None
    ) -> Paper:
        self.count += 1
        return Paper(fingerprint(original), words, self._patient if patient is None else patient, waits)

    def _next_patient(self) -> str:
        if not self._left:
            self._left = self._rng.randint(*_OF_A_PATIENT)
            self._patient = f"{self._prefix}-{self._rng.getrandbits(32):08x}"
        self._left -= 1
        return self._patient

    def _id(self) -> str:
        return f"{self._prefix}-{self._rng.getrandbits(40):010x}"

    def _words(self) -> str:
        """A sentence that no other report has."""
        told = " ".join(self._rng.choices(_WORDS, k=self._rng.randint(8, 60)))
        return f"{self._prefix.lower()}x{self._rng.getrandbits(48):012x} {told}."
