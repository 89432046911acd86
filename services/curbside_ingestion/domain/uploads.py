"""What tus 1.0 asks of an upload's headers, and what is wrong with them.

https://tus.io/protocols/resumable-upload: core, creation, expiration, checksum, termination.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from http import HTTPStatus
from typing import Any, Final

from curbside.errors import BadInput, Conflict, NotFound, TooLarge
from curbside_ingestion.domain.archives import ZIP
from curbside_ingestion.domain.columns import Columns, read_columns
from curbside_ingestion.domain.formats import Format
from curbside_ingestion.domain.problems import UnsupportedType

VERSION: Final = "1.0.0"
PIECE_MEDIA: Final = "application/offset+octet-stream"
# 4 MiB: what is in memory of each upload under way, and what a broken connection loses at most.
PIECE_BYTES: Final = 4 * 2**20
# Of one upload: smaller ones than 100 KB on average make the index of a large archive too large.
MOST_PIECES: Final = 20_000
_MAX_METADATA: Final = 4_096  # characters
_ALGORITHMS: Final[dict[str, Callable[[], Any]]] = {
    # tus demands sha1, and it is no secret that it keeps.
    "sha1": lambda: hashlib.sha1(usedforsecurity=False),
    "sha256": hashlib.sha256,
    "sha512": hashlib.sha512,
}
ALGORITHMS: Final = (*_ALGORITHMS,)
_ARCHIVES: Final = {
    ZIP: ZIP,
    "application/x-zip-compressed": ZIP,
    Format.NDJSON.value: Format.NDJSON.value,
    "application/ndjson": Format.NDJSON.value,
    "application/jsonl": Format.NDJSON.value,
}
_LENGTH: Final = re.compile(r"\d{1,15}")


class UploadState(StrEnum):
    OPEN = "open"
    COMPLETE = "complete"  # all bytes are here: it is worked through, or waits for it
    FINISHED = "finished"
    FAILED = "failed"  # the archive as a whole cannot be read
    EXPIRED = "expired"
    TERMINATED = "terminated"


class UnknownUpload(NotFound):
    code = "upload.unknown"


class ExpiredUpload(NotFound):
    code = "upload.expired"
    status = HTTPStatus.GONE


class WrongOffset(Conflict):
    """`offset` says from where to go on."""

    code = "upload.wrong-offset"


class UploadInHand(Conflict):
    code = "upload.in-hand"


class OversizedUpload(TooLarge):
    code = "upload.too-large"


class BadHeader(BadInput):
    code = "upload.bad-header"
    status = HTTPStatus.BAD_REQUEST


class ChecksumMismatch(BadInput):
    """Of tus's own status 460, which http.HTTPStatus does not know."""

    code = "upload.checksum-mismatch"


class WrongVersion(BadInput):
    code = "upload.wrong-version"
    status = HTTPStatus.PRECONDITION_FAILED


@dataclass
class Checksum:
    """What the bytes of one request must come to."""

    digest: Any
    stated: bytes

    def check(self) -> None:
        if self.digest.digest() != self.stated:
            raise ChecksumMismatch(
                "the bytes are not those that Upload-Checksum was made of: none was kept",
                field="Upload-Checksum",
                mend="Send them again from the same offset.",
            )


@dataclass(frozen=True)
class Metadata:
    """What a sender says of an archive; its name may be PHI."""

    given: str = field(repr=False)  # the header, to be given back
    media: str  # one of ZIP and NDJSON; empty where nothing is said: its first bytes tell
    source: str | None
    columns: Columns | None = None  # of the tables in it


def read_length(value: str | None, most: int) -> int:
    if value is None or not _LENGTH.fullmatch(value):
        raise BadHeader(
            "Upload-Length is missing or no number of bytes",
            field="Upload-Length",
            mend="Send the size of the archive: it must be known.",
        )
    length = int(value)
    if length > most:
        raise OversizedUpload(
            f"the archive has more than {most} bytes",
            field="Upload-Length",
            mend="Send it in parts, or raise CURBSIDE_INGESTION__MAX_UPLOAD_BYTES.",
        )
    if not length:
        raise BadHeader("the archive is empty", field="Upload-Length", mend="Send one that is not.")
    return length


def read_offset(value: str | None) -> int:
    if value is None or not _LENGTH.fullmatch(value):
        raise BadHeader(
            "Upload-Offset is missing or no number of bytes",
            field="Upload-Offset",
            mend="Ask for it with HEAD, and send it.",
        )
    return int(value)


def read_checksum(value: str | None) -> Checksum | None:
    if value is None:
        return None
    algorithm, _, encoded = value.strip().partition(" ")
    try:
        return Checksum(_ALGORITHMS[algorithm](), base64.b64decode(encoded, validate=True))
    except (KeyError, binascii.Error, ValueError):
        raise BadHeader(
            "Upload-Checksum is not an algorithm that is known here and a digest in Base64",
            field="Upload-Checksum",
            mend=f"Use one of {', '.join(ALGORITHMS)}.",
        ) from None


def read_metadata(value: str | None) -> Metadata:
    """`filetype` says what the archive is, `source` where it comes from, `columns` which columns of its
    tables are which fields; the rest is only given back. Raises BadHeader, UnsupportedType, BadColumns."""
    said: dict[str, str] = {}
    given = (value or "").strip()
    if len(given) > _MAX_METADATA or not given.isascii():
        raise _bad_metadata()
    for pair in given.split(",") if given else ():
        name, _, encoded = pair.strip().partition(" ")
        try:
            decoded = base64.b64decode(encoded, validate=True).decode()
        except ValueError:
            raise _bad_metadata() from None
        if not name or name in said:
            raise _bad_metadata()
        said[name] = decoded
    columns = read_columns(said["columns"]) if said.get("columns") else None
    return Metadata(given, _archive(said.get("filetype", "")), said.get("source"), columns)


def _archive(declared: str) -> str:
    media = declared.partition(";")[0].strip().casefold()
    if media and media not in _ARCHIVES:
        raise UnsupportedType(
            "the archive is of a type that is not worked through here",
            field="Upload-Metadata",
            mend=f"Its filetype is one of {', '.join(_ARCHIVES)}.",
        )
    return _ARCHIVES.get(media, "")


def _bad_metadata() -> BadHeader:
    return BadHeader(
        "Upload-Metadata is not a list of names with values in Base64",
        field="Upload-Metadata",
        mend="Send e.g. 'filetype YXBwbGljYXRpb24vemlw', separated by commas.",
    )
