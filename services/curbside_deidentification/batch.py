"""`curbside deidentify IN.jsonl -o OUT.jsonl`: a file on this machine, in worker processes, without a server.

The output appears whole or not at all, in the input's order. What is done is kept beside it in
`<output>.part`, so that the same command continues after a crash; another input, policy or model starts anew.
Lines that are no documents stand by number in `<output>.bad`; a document that kills its workers is
quarantined. A file of any length takes the same memory.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import threading
from collections.abc import Callable, Iterator
from multiprocessing import parent_process
from pathlib import Path
from typing import Any

from curbside.contracts.codec import KnownIdentifiers, PhiDocument
from curbside.errors import BadInput, OperatorError
from curbside.phi import PhiText
from curbside_deidentification.batch_lines import KNOWN_FIELDS, SHOWN_LINES, documents_of, examine
from curbside_deidentification.crew import Crew
from curbside_deidentification.detector import MODEL_ASSET, Detector
from curbside_deidentification.domain.policy import load_policy
from curbside_deidentification.overwriting import require_apart
from curbside_deidentification.pipeline import Reason, Result, nothing_done
from curbside_deidentification.together import deidentify_each, grouped

Progress = Callable[[int, int], None]


class UnreadableFile(OperatorError):
    code = "batch.unreadable"


class BadLines(BadInput):
    """Some lines were no documents; the others are written."""

    code = "batch.bad-lines"


def deidentify_file(source: Path, target: Path, workers: int, cache: Path, on_progress: Progress) -> None:
    """De-identify every line of `source` into `target`, in order, with `workers` processes.

    Calls `on_progress(done, total)` in lines. Raises BadLines, after writing the good ones, naming each bad
    line by its number; WritesOverInput; UnreadableFile; crew.WorkerDied, after which the same call continues
    where it stopped.
    """
    from curbside.assets import ensure

    part, apart = _beside(target, ".part"), _beside(target, ".bad")
    try:
        require_apart([source], [target, part, apart, _beside(part, ".state")])
        source.open("rb").close()  # before anything is written beside the output
        model = ensure(MODEL_ASSET, cache)
        digest = hashlib.sha256(f"{load_policy().label} {model}".encode())
        examined = examine(source, apart, digest)
        done = _already_done(part, digest.hexdigest())
        with part.open("a", encoding="utf-8") as output:
            on_progress(done, examined.documents)
            todo = itertools.islice(documents_of(source), done, None)
            for written, lines in _results(todo, model, workers):
                output.write(lines)
                output.flush()
                done += written
                on_progress(done, examined.documents)
            os.fsync(output.fileno())
        part.replace(target)
        _beside(part, ".state").unlink(missing_ok=True)
    except OSError as error:
        raise UnreadableFile(f"{error.filename or source}: {error.strerror}.") from None
    if examined.bad:
        shown = "; ".join(f"line {number}: {problem}" for number, problem in examined.shown.items())
        more = f"; and {examined.bad - SHOWN_LINES} more" if examined.bad > SHOWN_LINES else ""
        raise BadLines(
            f"{examined.bad} of {examined.bad + examined.documents} lines of {source.name} are no documents "
            f"({shown}{more}).",
            mend='Each line is {"id", "text", "known"?}, and known holds lists of strings: '
            f"{', '.join(KNOWN_FIELDS)}. The good ones are in the output, and all the others by number in "
            f"{apart.name}.",
            lines=list(examined.shown),
        )


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(path.name + ending)


def _already_done(part: Path, fingerprint: str) -> int:
    """How many results `part` holds of this very input and policy; whatever else is there is dropped."""
    state = _beside(part, ".state")
    if not part.exists() or not state.exists() or state.read_text() != fingerprint:
        part.write_bytes(b"")
        part.chmod(0o600)
        state.write_text(fingerprint)
        return 0
    with part.open("rb+") as written:
        whole = done = 0
        for line in written:
            if line.endswith(b"\n"):
                whole += len(line)
                done += 1
        written.truncate(whole)  # a crash may have left half a line
    return done


def _results(lines: Iterator[str], model: Path, workers: int) -> Iterator[tuple[int, str]]:
    harmless = json.dumps({"id": "", "text": "The chest is clear."})
    crew = Crew(workers, _start, [str(model)], _deidentify_group, _held, harmless)
    return crew.results(grouped((line, len(line)) for line in lines))


_detector: Detector | None = None


def _start(model: str) -> None:
    """In the worker: load the model once, and end with the process that started it, however that ends."""
    global _detector
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _detector = Detector(Path(model))


def _end_with_parent() -> None:
    # Where it is killed nobody closes the queue that a worker waits at.
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _deidentify_group(lines: list[str]) -> str:
    assert _detector is not None
    rows = [json.loads(line) for line in lines]
    results = deidentify_each([_document(row) for row in rows], _detector, load_policy())
    return "".join(_line(row["id"], result) for row, result in zip(rows, results, strict=True))


def _held(line: str) -> str:
    """For a document that killed its workers."""
    return _line(json.loads(line)["id"], nothing_done(Reason.RECOGNISER_FAILED, load_policy()))


def _document(row: dict[str, Any]) -> PhiDocument:
    known = row.get("known") or {}
    return PhiDocument(
        PhiText(row["text"]),
        KnownIdentifiers(**{name: tuple(map(PhiText, known.get(name) or ())) for name in KNOWN_FIELDS}),
    )


def _line(identifier: str | int, result: Result) -> str:
    row: dict[str, Any] = {
        "id": identifier,
        "text": result.replaced.reveal(),
        "spans": [
            {
                "start": span.start,
                "end": span.end,
                "category": span.category.value,
                "score": span.score,
                "recogniser": span.recogniser,
            }
            for span in result.spans
        ],
        "risk": result.risk,
        "quarantined": result.quarantined,
    }
    row |= {"reason": result.reason.value} if result.reason else {}
    return json.dumps(row, ensure_ascii=False) + "\n"
