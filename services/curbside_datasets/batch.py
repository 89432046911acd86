"""`curbside segment`: clean and segment a file of JSON lines, without a server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from curbside.errors import BadInput
from curbside.segmentation import segment


class BadLine(BadInput):
    code = "segment.bad-line"


def segment_file(source: Path, target: Path) -> int:
    """Read `{"id", "text"}` lines, write them with their sections; return how many.

    Offsets are in the input's text: the heading's start and the section's end. The result replaces
    `target` only when it is whole. Raises BadLine naming the line, never quoting it.
    """
    scratch = target.with_suffix(target.suffix + ".part")
    count = 0
    if target.is_dir():
        raise BadLine(f"{str(target)!r} is a directory", field="--output", mend="Name a file.")
    try:
        output = scratch.open("w", encoding="utf-8")
        scratch.chmod(0o600)  # it may hold patient text
    except OSError as error:
        raise BadLine(f"{str(target)!r} cannot be written: {error.strerror}", field="--output") from None
    try:
        with output:
            for record in _records(source):
                sections = [
                    {"name": s.name, "heading": s.heading, "start": s.start, "end": s.end, "text": s.text}
                    for s in segment(record["text"])
                ]
                line = {"id": record["id"], "text": record["text"], "sections": sections}
                output.write(json.dumps(line, ensure_ascii=False) + "\n")
                count += 1
        scratch.replace(target)
    finally:
        scratch.unlink(missing_ok=True)
    return count


def _records(source: Path) -> Iterator[dict[str, Any]]:
    try:
        lines = source.open(encoding="utf-8")
    except OSError as error:
        raise BadLine(f"{str(source)!r} cannot be read: {error.strerror}", field="IN") from None
    with lines:
        try:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield _record(line, number)
        except UnicodeDecodeError:
            raise BadLine(f"{str(source)!r} is not UTF-8", field="IN", mend="Convert it to UTF-8.") from None


def _record(line: str, number: int) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except ValueError:
        raise BadLine(f"line {number} is not JSON", field="IN", mend="Write one object to a line.") from None
    for field, kinds, wanted in (("id", (str, int), "a string or a number"), ("text", str, "a string")):
        if not isinstance(record, dict) or not isinstance(record.get(field), kinds):
            raise BadLine(
                f"line {number} has no {field!r} that is {wanted}",
                field=field,
                mend='Write {"id": …, "text": …}.',
            )
    return {"id": record["id"], "text": record["text"]}
