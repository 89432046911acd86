"""Directories of an installation: made for their owner alone, and durable before anything lies in them."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Final

from curbside.errors import OperatorError, StorageFull

# What a write fails with where a disk, or the user's share of it, is full.
FULL_DISK: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


class UnusableDirectory(OperatorError):
    code = "operator.unusable-directory"


def private_directory(path: Path) -> None:
    """Make `path`, and what it lies in, where absent: mode 0700, each entry on the disk.

    Raises UnusableDirectory naming the setting, or StorageFull.
    """
    try:
        missing = []
        while not path.is_dir():
            missing.append(path)
            path = path.parent
        for place in reversed(missing):
            place.mkdir(mode=0o700, exist_ok=True)
            sync(place.parent)
    except OSError as error:
        place = missing[0] if missing else path
        if error.errno in FULL_DISK:
            raise full_disk(place) from error
        if error.errno in (errno.EEXIST, errno.ENOTDIR):
            blocking = next(part for part in (place, *place.parents) if part.exists())
            raise UnusableDirectory(
                f"{str(blocking)!r} is a file, and a directory is needed: name another place with --data or "
                "CURBSIDE_RUNTIME__DATA_DIR."
            ) from error
        raise UnusableDirectory(
            f"the directory {str(place)!r} cannot be used ({error.strerror}): let this user write there, or "
            "name another with --data or CURBSIDE_RUNTIME__DATA_DIR."
        ) from error


def write_private(path: Path, content: str) -> None:
    """`content` as a file of mode 0600, whole or not at all."""
    scratch = path.with_suffix(".part")
    scratch.unlink(missing_ok=True)
    with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    scratch.replace(path)


def full_disk(path: Path) -> StorageFull:
    return StorageFull(f"the disk that holds {str(path)!r} is full", mend="Free space on it.")


def sync(directory: Path) -> None:
    """Put the entries of `directory` on the disk: until then a crash may take a new file's name away."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
