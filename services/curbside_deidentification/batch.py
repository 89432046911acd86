"""`curbside deidentify IN.jsonl -o OUT.jsonl`: a file on this machine, in worker processes, without a server.

The output appears whole or not at all. What is done is kept beside it in `<output>.part`, so that the same
command continues after a crash; another input or another policy starts anew.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import fields
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

from curbside.contracts.codec import KnownIdentifiers, PhiDocument
from curbside.errors import BadInput, CurbsideError, OperatorError
from curbside.phi import PhiText
from curbside_deidentification.detector import MODEL_ASSET, Detector
from curbside_deidentification.domain.policy import load_policy
from curbside_deidentification.pipeline import Result, deidentify

Progress = Callable[[int, int], None]
# Enough lines for a worker to be busy for a second or two, few enough that progress moves.
_LINES_PER_TASK: Final = 8
_TASKS_AHEAD_PER_WORKER: Final = 3
_SHOWN_LINES: Final = 20
# A document nests three deep. A fixed limit, because Python's depends on how deep the reader itself is
# called, and a worker is called deeper than we are.
_DEEPEST: Final = 50
_KNOWN: Final = tuple(field.name for field in fields(KnownIdentifiers))


class UnreadableFile(OperatorError):
    code = "batch.unreadable"


class BadLines(BadInput):
    """Some lines were no documents; the others are written."""

    code = "batch.bad-lines"


class WorkerDied(CurbsideError):
    code = "batch.worker-died"


def deidentify_file(source: Path, target: Path, workers: int, cache: Path, on_progress: Progress) -> None:
    """De-identify every line of `source` into `target`, in order, with `workers` processes.

    Calls `on_progress(done, total)` in lines. Raises BadLines, after writing the good ones, naming each bad
    line by its number; UnreadableFile; WorkerDied, after which the same call continues where it stopped.
    """
    from curbside.assets import ensure

    try:
        bad, total, fingerprint = _examine(source)
        model = ensure(MODEL_ASSET, cache)
        part = target.with_name(target.name + ".part")
        done = _already_done(part, fingerprint)
        with part.open("a", encoding="utf-8") as output:
            on_progress(done, total - len(bad))
            todo = itertools.islice(_good_lines(source, bad), done, None)
            for written, lines in _results(todo, model, workers):
                output.write(lines)
                output.flush()
                done += written
                on_progress(done, total - len(bad))
            os.fsync(output.fileno())
        part.replace(target)
        _state(part).unlink(missing_ok=True)
    except OSError as error:
        raise UnreadableFile(f"{error.filename or source}: {error.strerror}.") from None
    if bad:
        shown = "; ".join(
            f"line {number}: {problem}" for number, problem in itertools.islice(bad.items(), _SHOWN_LINES)
        )
        more = f"; and {len(bad) - _SHOWN_LINES} more" if len(bad) > _SHOWN_LINES else ""
        raise BadLines(
            f"{len(bad)} of {total} lines of {source.name} are no documents ({shown}{more}).",
            mend='Each line is {"id", "text", "known"?}; the good ones are in the output.',
            lines=list(bad),
        )


def _examine(source: Path) -> tuple[dict[int, str], int, str]:
    """Problems by line number (from 1), the number of lines that are not blank, and what tells this input
    from another."""
    digest = hashlib.sha256(load_policy().label.encode())
    bad: dict[int, str] = {}
    count = 0
    with source.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            digest.update(line)
            if not line.strip():
                continue
            count += 1
            problem = _problem(line)
            if problem is not None:
                bad[number] = problem
    return bad, count, digest.hexdigest()


def _problem(line: bytes) -> str | None:
    try:
        row = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError:
        return "not UTF-8"
    except RecursionError:
        return "nested too deeply"
    except ValueError:
        return "not JSON"
    if _depth(row) > _DEEPEST:
        return "nested too deeply"
    if not isinstance(row, dict) or not isinstance(row.get("text"), str):
        return "no text"
    if not isinstance(row.get("id"), str | int):
        return "no id"
    try:
        json.dumps(row, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        return "half a surrogate pair"  # legal in JSON's escapes, and in no text
    known = row.get("known")
    if known is not None and not (
        isinstance(known, dict)
        and all(
            isinstance(values, list) and all(isinstance(value, str) for value in values)
            for name, values in known.items()
            if name in _KNOWN
        )
    ):
        return "known is not an object of lists of strings"
    return None


def _depth(value: object) -> int:
    """How deeply lists and objects are nested in `value`, without recursion."""
    depth, level = 0, [value]
    while level:
        inner = [item for item in level if isinstance(item, list | dict)]
        level = [part for item in inner for part in (item.values() if isinstance(item, dict) else item)]
        depth += bool(inner)
    return depth


def _good_lines(source: Path, bad: dict[int, str]) -> Iterator[str]:
    with source.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if number not in bad and line.strip():
                yield line.decode("utf-8")


def _state(part: Path) -> Path:
    return part.with_name(part.name + ".state")


def _already_done(part: Path, fingerprint: str) -> int:
    """How many results `part` holds of this very input and policy; whatever else is there is dropped."""
    state = _state(part)
    if not part.exists() or not state.exists() or state.read_text() != fingerprint:
        part.parent.mkdir(parents=True, exist_ok=True)
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
    """Results in the order of `lines`, in groups; a bounded number is under way at once."""
    groups = iter(lambda: list(itertools.islice(lines, _LINES_PER_TASK)), [])
    first = next(groups, None)
    if first is None:
        return
    waiting: deque[Future[tuple[int, str]]] = deque()
    with ProcessPoolExecutor(workers, get_context("spawn"), _start, (str(model),)) as pool:
        try:
            for group in itertools.chain([first], groups):
                waiting.append(pool.submit(_deidentify_group, group))
                if len(waiting) >= workers * _TASKS_AHEAD_PER_WORKER:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        except BrokenProcessPool:
            raise WorkerDied(
                "a worker process was killed, by the system for want of memory perhaps.",
                mend="Run the same command again to continue, with fewer --workers.",
            ) from None


_detector: Detector | None = None


def _start(model: str) -> None:
    """In the worker: load the model once."""
    global _detector
    _detector = Detector(Path(model))


def _deidentify_group(lines: list[str]) -> tuple[int, str]:
    assert _detector is not None
    policy = load_policy()
    return len(lines), "".join(
        json.dumps(_row(row["id"], deidentify(_document(row), _detector, policy)), ensure_ascii=False) + "\n"
        for row in map(json.loads, lines)
    )


def _document(row: dict[str, Any]) -> PhiDocument:
    known = row.get("known") or {}
    return PhiDocument(
        PhiText(row["text"]),
        KnownIdentifiers(**{name: tuple(map(PhiText, known.get(name) or ())) for name in _KNOWN}),
    )


def _row(identifier: str | int, result: Result) -> dict[str, Any]:
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
    return row | ({"reason": result.reason.value} if result.reason else {})
