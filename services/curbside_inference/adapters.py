"""Promoted adapters are unpacked where the engine finds them: whole, or not at all."""

from __future__ import annotations

import errno
import io
import os
import shutil
import tarfile
import tempfile
from collections.abc import Collection
from pathlib import Path
from typing import Final

from curbside.errors import StorageFull
from curbside_inference.domain.problems import BadAdapter
from curbside_inference.domain.question import RESERVED, VERSION

# An adapter of rank 64 for a 70B model has 1.6 GB.
_MOST_BYTES: Final = 8_000_000_000
_CONFIG: Final = "adapter_config.json"


def place_adapter(
    archive: bytes, directory: Path, version: str, *, reserved: Collection[str] = RESERVED
) -> Path:
    """Unpack the tar `archive` to `directory/version`; doing it again does nothing.

    Raises BadAdapter for a version that is no plain name or one of the `reserved`, for an archive with links,
    devices or paths that lead elsewhere, and for one without an adapter's configuration.
    """
    if not VERSION.fullmatch(version) or version in reserved:
        raise BadAdapter(f"{version[:40]!r} cannot be a model version", field="model_version")
    place = directory / version
    if (place / _CONFIG).is_file():
        return place
    try:
        directory.mkdir(parents=True, exist_ok=True)
        # Beside its place, so that the rename is atomic; the engine skips names that begin with a dot.
        scratch = Path(tempfile.mkdtemp(prefix=f".{version}-", dir=directory))
        try:
            _unpack(archive, scratch)
            scratch.chmod(0o755)  # mkdtemp's 0700 would keep out an engine that runs as another user
            for path in (*scratch.rglob("*"), scratch):
                _sync(path)
            os.replace(scratch, place)
            _sync(directory)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST) and (place / _CONFIG).is_file():
            return place  # another process was first
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFull(
                f"the disk that holds {str(directory)!r} is full", mend="Free space on it."
            ) from None
        raise
    return place


def _unpack(archive: bytes, scratch: Path) -> None:
    try:
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            members = tar.getmembers()
            if any(not (member.isfile() or member.isdir()) for member in members):
                raise BadAdapter("the adapter's archive holds links or devices", field="adapter")
            if sum(member.size for member in members) > _MOST_BYTES:
                raise BadAdapter(f"the adapter is larger than {_MOST_BYTES} bytes", field="adapter")
            tar.extractall(scratch, members, filter="data")
    except (tarfile.TarError, EOFError) as error:
        raise BadAdapter(
            f"the adapter's archive cannot be unpacked ({type(error).__name__})", field="adapter"
        ) from None
    if not (scratch / _CONFIG).is_file():
        raise BadAdapter(f"the adapter's archive holds no {_CONFIG}", field="adapter")


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
