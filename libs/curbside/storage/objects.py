"""Where sealed blobs lie: what a directory (`directory_objects.py`) and S3 (`s3_objects.py`) both promise.

An object is written once under a name that no other ever has, and never changes. All calls block; several
threads may make them at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Protocol

from curbside.errors import Conflict, CurbsideError

# What a writer that was killed left half done is nobody's work any more after this long.
ABANDONED_AFTER: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Part:
    """Bytes of an object: `size` of them (1 or more) from `start` on."""

    start: int
    size: int


class BlobDamaged(CurbsideError):
    """A blob's bytes were changed, or moved to another place, since they were written."""

    code = "storage.blob-damaged"


class NameTaken(Conflict):
    """An object of that name is there, and stays as it is."""

    code = "storage.name-taken"


class Objects(Protocol):
    """Sealed bytes by name. A name is `zone/tenant/subject/id`; BlobStore makes and checks it.

    Every call raises Unavailable or StorageFull where that may pass by itself, and OperatorError where a
    setting or a right is wrong.
    """

    @property
    def workers(self) -> int:
        """How many calls at once are worth their threads."""

    def write_new(self, name: str, data: bytes) -> None:
        """Durable when it returns, and never half readable. Raises NameTaken: nothing is overwritten."""

    def read(self, name: str, part: Part | None = None) -> bytes | None:
        """All of it, or `part` of it as far as it goes; None where there is none."""

    def delete(self, name: str) -> None:
        """Deleting what is not there does nothing."""

    def names(self, prefix: str) -> Iterator[str]:
        """The names that begin with `prefix`, which is empty or ends with a slash, in any order: S3 servers
        disagree on whether a slash comes before a dash."""

    def check(self) -> None:
        """Raise what a write would most likely fail with now."""

    def clean(self, older_than: timedelta = ABANDONED_AFTER) -> int:
        """Remove what killed writers left half done; return how many there were."""

    def provision(self) -> list[str]:
        """Make what must be there before the first write, and say what was done, line by line; idempotent."""
