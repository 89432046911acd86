"""The embedded half of where blobs lie: a directory, fsynced file by file."""

from __future__ import annotations

import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Final

from curbside.errors import StorageFull
from curbside.storage.directories import FULL_DISK, full_disk, private_directory, sync
from curbside.storage.objects import ABANDONED_AFTER, NameTaken, Part

# No name of a blob holds a dot.
_SCRATCH: Final = ".part"
# That are remembered: each subject whose blobs lie alone has a directory of its own.
_MOST_ENTERED: Final = 1_000


class DirectoryObjects:
    """Objects as files below `root`, with at least `min_free_bytes` of its disk kept free."""

    workers = 8  # more only queue for the disk

    def __init__(self, root: Path, *, min_free_bytes: int = 0) -> None:
        self._root = root
        self._min_free_bytes = min_free_bytes
        self._entered: set[Path] = set()  # directories whose own names we know to be on the disk

    def write_new(self, name: str, data: bytes) -> None:
        path = self._root / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            scratch = path.with_name(f"{path.name}.{secrets.token_hex(4)}{_SCRATCH}")
            try:
                with open(scratch, "xb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                os.link(scratch, path)  # unlike a rename it never replaces
            except FileExistsError:
                raise NameTaken(f"an object {name!r} is there already") from None
            finally:
                scratch.unlink(missing_ok=True)
            self._sync_down_to(path.parent)
        except OSError as error:
            if error.errno in FULL_DISK:
                raise full_disk(self._root) from error
            raise

    def read(self, name: str, part: Part | None = None) -> bytes | None:
        try:
            with open(self._root / name, "rb") as file:
                if part is None:
                    return file.read()
                return os.pread(file.fileno(), part.size, part.start)
        except FileNotFoundError:
            return None

    def delete(self, name: str) -> None:
        (self._root / name).unlink(missing_ok=True)

    def names(self, prefix: str) -> Iterator[str]:
        for path in _files(self._root / prefix):
            yield path.relative_to(self._root).as_posix()

    def check(self) -> None:
        """Raise StorageFull where less is free than an intake needs to finish what it began."""
        private_directory(self._root)
        free = shutil.disk_usage(self._root).free
        if free < self._min_free_bytes:
            raise StorageFull(
                f"only {free // 1_000_000} MB are free where {str(self._root)!r} lies",
                mend=f"Free at least {self._min_free_bytes // 1_000_000} MB on that disk.",
            )

    def clean(self, older_than: timedelta = ABANDONED_AFTER) -> int:
        before = time.time() - older_than.total_seconds()
        cleaned = 0
        for path in self._root.rglob(f"*{_SCRATCH}"):
            with suppress(FileNotFoundError):  # its writer was alive, and has ended
                if path.stat().st_mtime < before:
                    path.unlink()
                    cleaned += 1
        return cleaned

    def provision(self) -> list[str]:
        """Nothing is needed: the first write makes the directory."""
        abandoned = self.clean()
        return [f"abandoned writes: {abandoned} removed"] if abandoned else []

    def _sync_down_to(self, directory: Path) -> None:
        """Put the entries of `directory` on the disk, and its own name and those of the directories above."""
        sync(directory)
        while directory not in self._entered and directory != self._root.parent:
            # Another process may have made it and not have come to this yet; nobody ever removes it.
            sync(directory.parent)
            self._entered.add(directory)
            directory = directory.parent
        if len(self._entered) > _MOST_ENTERED:
            self._entered.clear()


def _files(directory: Path) -> Iterator[Path]:
    """Every file below, one directory at a time: there may be millions."""
    try:
        entries = sorted(os.scandir(directory), key=lambda entry: entry.name)
    except FileNotFoundError:
        return
    for entry in entries:
        if entry.is_dir():
            yield from _files(Path(entry.path))
        elif not entry.name.endswith(_SCRATCH):
            yield Path(entry.path)
