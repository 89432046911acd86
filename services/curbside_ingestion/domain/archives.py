"""ZIP archives of documents: what may be in one, and how far it may unpack."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import PurePosixPath
from typing import IO, Final

from curbside.errors import CurbsideError
from curbside_ingestion.extraction.found import (
    EmptyDocument,
    EncryptedDocument,
    OversizedDocument,
    UnreadableDocument,
    UnsafeDocument,
)

ZIP: Final = "application/zip"
_ENCRYPTED: Final = 0x1  # APPNOTE.TXT 4.4.4, bit 0
_CHUNK: Final = 1_000_000
_HEADER_BYTES: Final = 30  # APPNOTE.TXT 4.3.7, without the name
_DAMAGED: Final = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    OSError,
    OverflowError,
    NotImplementedError,
    RuntimeError,
    ValueError,
)
# The only two that unpack by a bounded step: of bzip2 and LZMA Python takes a whole chunk at once, which may
# become ten thousand times as long.
_METHODS: Final = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
# What operating systems put beside files, and nobody sent.
_BESIDE: Final = frozenset({"__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini"})


@dataclass(frozen=True)
class Member:
    """A file of an archive. Its name may be PHI."""

    name: str = field(repr=False)
    data: bytes = field(repr=False)


@dataclass(frozen=True)
class BadMember:
    problem: CurbsideError


def read_members(
    data: bytes | IO[bytes], *, max_members: int, max_bytes: int, max_file_bytes: int, skip: int = 0
) -> Iterator[Member | BadMember]:
    """The files of the ZIP `data` in its order, each unpacked when it is asked for, without the first `skip`.

    A file that cannot be taken, or has more than `max_file_bytes`, is a BadMember. Raises a BadInput where
    the archive as a whole cannot: it is damaged, or has more than `max_members` files, or unpacks to more
    than `max_bytes` (counted while it is unpacked: what a header says is not believed).
    """
    try:
        archive = zipfile.ZipFile(io.BytesIO(data) if isinstance(data, bytes) else data)
    except _DAMAGED:
        raise UnreadableDocument(
            "the ZIP is damaged or cut off", field="body", mend="Pack it again, and send it whole."
        ) from None
    members = [member for member in archive.infolist() if not _beside(member)]
    if not members:
        raise EmptyDocument("the ZIP holds no file", field="body", mend="Send one that does.")
    if len(members) > max_members:
        raise OversizedDocument(
            f"the ZIP holds more than {max_members} files", field="body", mend="Send it in parts."
        )
    if _overlap(members):
        raise UnsafeDocument(
            "files of the ZIP lie in each other, which no program packs", field="body", mend="Pack it again."
        )
    left = max_bytes
    for member in members[skip:]:
        problem = _refusal(member)
        if problem is not None:
            yield BadMember(problem)
            continue
        parts: list[bytes] = []
        size = 0
        try:
            for part in _unpacked(archive, member):
                left -= len(part)  # of a damaged file too: what it cost is spent
                size += len(part)
                if left < 0:
                    raise OversizedDocument(
                        "the ZIP unpacks to more than an archive may", field="body", mend="Send it in parts."
                    )
                if size > max_file_bytes:  # no more of it is unpacked
                    break
                parts.append(part)
        except _DAMAGED:  # a wrong checksum, data that end too soon
            yield BadMember(_cannot_unpack())
            continue
        if size > max_file_bytes:
            yield BadMember(_oversized(max_file_bytes))
            continue
        yield Member(member.filename, b"".join(parts))


def _unpacked(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Iterator[bytes]:
    with archive.open(member) as stream:
        while part := stream.read(_CHUNK):
            yield part


def _oversized(most: int) -> CurbsideError:
    return OversizedDocument(
        f"the file unpacks to more than {most} bytes",
        field="body",
        mend="Send its reports one by one, or raise CURBSIDE_RUNTIME__MAX_BODY_BYTES.",
    )


def _cannot_unpack() -> CurbsideError:
    return UnreadableDocument(
        "the file cannot be unpacked: it is damaged, or packed by an unusual method",
        field="body",
        mend="Pack it again, with deflate.",
    )


def _refusal(member: zipfile.ZipInfo) -> CurbsideError | None:
    path = PurePosixPath(member.filename.replace("\\", "/"))
    if (
        not path.parts
        or path.is_absolute()
        or ".." in path.parts
        or ":" in path.parts[0]
        or "\x00" in member.orig_filename
    ):
        return UnsafeDocument(
            "the file's name in the ZIP leads out of the archive", field="body", mend="Pack it by its name."
        )
    if member.flag_bits & _ENCRYPTED:
        return EncryptedDocument("the file is encrypted", field="body", mend="Pack it without a password.")
    if member.compress_type not in _METHODS:
        return _cannot_unpack()
    return None


def _overlap(members: Sequence[zipfile.ZipInfo]) -> bool:
    """Whether two share bytes, so that few unpack to many: D. Fifield, "A better zip bomb", 2019."""
    placed = sorted((member.header_offset, member.compress_size) for member in members)
    return any(start + _HEADER_BYTES + size > after for (start, size), (after, _) in pairwise(placed))


def _beside(member: zipfile.ZipInfo) -> bool:
    """Whether `member` is no file that somebody sent. One without a name is: `is_dir` looks at its end."""
    name = member.filename
    return bool(name) and (member.is_dir() or not _BESIDE.isdisjoint(PurePosixPath(name).parts))
