"""No command writes over a file that it reads: what was there is somebody's original."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from curbside.errors import BadInput


class WritesOverInput(BadInput):
    code = "batch.writes-over-input"
    title = "The output would take the place of the input"


class OutputIsDirectory(BadInput):
    code = "batch.output-is-directory"


def require_apart(inputs: Iterable[Path], written: Iterable[Path]) -> None:
    """Raise WritesOverInput where one of `written` is one of `inputs`: by its name, a link to it, or another
    name of the same file; OutputIsDirectory where it is a directory."""
    written = tuple(written)
    for target in written:
        if target.is_dir():
            raise OutputIsDirectory(
                f"{str(target)!r} is a directory",
                field="--output",
                mend="Name a file with -o.",
            )
    for source in inputs:
        for target in written:
            if _is_one(source, target):
                raise WritesOverInput(
                    f"writing {str(target)!r} would destroy {str(source)!r}: they are one file",
                    field="--output",
                    mend="Name another file with -o, one that is not there yet.",
                )


def _is_one(source: Path, target: Path) -> bool:
    try:
        return os.path.samefile(source, target)
    except FileNotFoundError:
        return False  # of what is not there nothing can be lost
