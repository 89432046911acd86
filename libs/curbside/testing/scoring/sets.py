"""What de-identification is measured on: the shared sets, read where they lie, and generated notes."""

from __future__ import annotations

import importlib
import json
import lzma
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Final, Literal

from curbside.testing.notes import generate, load_families
from curbside.testing.notes.rows import row_of
from curbside.testing.notes.values import SetName
from curbside.testing.scoring.spans import Gold, Predicted

ASQ: Final = "asq_phi_dev"
RESEARCH: Final = "presidio_research"
MEDICAL: Final = "medical_mentions_dev"
_SEED: Final = 20_261_124
_KNOWN_LABELS: Final = {"name": "NAME", "address": "GEOGRAPHIC_LOCATION", "date": "DATE"}


@dataclass(frozen=True)
class ScoredSet:
    """Gold documents, and for some of them what a hospital would send along."""

    documents: Sequence[Gold]
    known: Mapping[str, Mapping[str, Sequence[str]]] = field(default_factory=dict)

    def write(self, path: Path) -> None:
        """As `curbside deidentify` reads it."""
        with path.open("w", encoding="utf-8") as lines:
            for document in self.documents:
                row: dict[str, Any] = {"id": document.id, "text": document.text}
                if document.id in self.known:
                    row["known"] = self.known[document.id]
                lines.write(json.dumps(row, ensure_ascii=False) + "\n")


def read_phi_set(shared: Path, name: str, sample: int | None = None) -> ScoredSet:
    """`phi/<name>.jsonl` of the shared data; `sample` takes so many documents of it, by a fixed seed."""
    with (shared / "data" / "phi" / f"{name}.jsonl").open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return ScoredSet([_gold(row) for row in _sampled(rows, sample)])


def read_mtsamples(shared: Path, sample: int | None = None) -> ScoredSet:
    """The transcribed reports; their gold spans are the headings."""
    with lzma.open(shared / "data" / "mtsamples" / "mtsamples_dev.jsonl.xz", "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return ScoredSet(
        [
            Gold(
                str(row["id"]),
                row["text"],
                [(start, end, "HEADING") for start, end, _ in row["gold_headers"]],
            )
            for row in _sampled(rows, sample)
        ]
    )


def generated_notes(name: SetName, count: int, *, with_known: bool, seed: int = _SEED) -> ScoredSet:
    rows = [row_of(note, with_known=with_known) for note in generate(load_families(name), count, seed)]
    return ScoredSet(
        [_gold(row) for row in rows], {row["id"]: row["known"] for row in rows if "known" in row}
    )


def read_messages(shared: Path, source: Literal["synthea", "hl7"], sample: int | None = None) -> ScoredSet:
    """The messages of FHIR patients or PID segments, and notes that write their identifiers as clinicians
    do, each with the identifiers sent along as known. Needs `known_recall` beside this file."""
    known_recall: Any = importlib.import_module("curbside.testing.scoring.known_recall")
    subjects = []
    if source == "synthea":
        for path in sorted((shared / "data" / "fhir" / "synthea").glob("*.json")):
            subjects += known_recall.subjects_of_fhir(json.loads(path.read_text("utf-8")))
    else:
        for path in sorted((shared / "data" / "hl7v2").rglob("*.hl7")):
            subjects += known_recall.subjects_of_hl7(path.read_bytes().decode("utf-8", "replace"))
    texts = [*known_recall.in_messages(subjects), *known_recall.in_notes(subjects)]
    rows = [
        {
            "id": f"{source}-{number:04d}",
            "text": text,
            "known": {name: list(values) for name, values in asdict(known).items()},
            "spans": [
                (one.start, one.end, _KNOWN_LABELS.get(one.kind, f"ID:{one.kind}")) for one in mentions
            ],
        }
        for number, (text, known, mentions) in enumerate(texts)
    ]
    taken = _sampled(rows, sample)
    return ScoredSet([_gold(row) for row in taken], {row["id"]: row["known"] for row in taken})


def read_predictions(path: Path) -> dict[str, Predicted]:
    """What `curbside deidentify` wrote, by document id."""
    with path.open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return {
        str(row["id"]): Predicted(
            [(span["start"], span["end"]) for span in row["spans"]], bool(row.get("quarantined"))
        )
        for row in rows
    }


def _gold(row: Mapping[str, Any]) -> Gold:
    return Gold(str(row["id"]), row["text"], [(start, end, label) for start, end, label in row["spans"]])


def _sampled(rows: Sequence[dict[str, Any]], sample: int | None) -> Sequence[dict[str, Any]]:
    return rows if sample is None or sample >= len(rows) else Random(_SEED).sample(rows, sample)
