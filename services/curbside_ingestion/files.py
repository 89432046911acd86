"""Files and folders of reports: rows of .txt, .csv, .json, .jsonl, .ndjson, also compressed as .gz or .xz,
and documents of any other kind (PDF, DOCX, scans, HL7 v2, FHIR, C-CDA, ZIP), which the service reads.

The rows of a path are the same every time, and in the same order, so that whoever posts them twice is
told the second time that they are there. Nothing here needs the server.
"""

from __future__ import annotations

import gzip
import lzma
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any, Final, cast

from curbside.errors import BadInput, CurbsideError
from curbside_ingestion.domain import rows
from curbside_ingestion.domain.formats import Format
from curbside_ingestion.domain.problems import OversizedReport, UnreadableFile, UnsupportedType
from curbside_ingestion.domain.report import Submission, read_submission, source_named

FORMATS: Final = MappingProxyType(
    {
        ".txt": Format.TEXT,
        ".csv": Format.CSV,
        ".json": Format.JSON,
        ".jsonl": Format.NDJSON,
        ".ndjson": Format.NDJSON,
    }
)
_COMPRESSED: Final = (".gz", ".xz")
# 256 MB decompressed: CSV and JSON are read whole, and a small archive may hold terabytes. NDJSON streams.
_MAX_WHOLE: Final = 256_000_000
_NO_SOURCE: Final = ""
_ENDS: Final = 4_096  # bytes at each end of a file in which FHIR says that it is FHIR


@dataclass(frozen=True)
class Row:
    """A good row, and where it stands, e.g. `reports.csv row 3`."""

    place: str
    submission: Submission

    def to_body(self, *, source: str) -> dict[str, Any]:
        """The body of POST /ingestion/v1/reports. `source` is used where the row names none."""
        return self.submission.to_row() | {"source": self.submission.source or source_named(source)}


@dataclass(frozen=True)
class Document:
    """A file that is sent as it is; `name` is its path, and its report's external id where it has none."""

    place: str
    name: str
    data: bytes = field(repr=False)


@dataclass(frozen=True)
class LargeArchive:
    """A ZIP of more bytes than go into one request."""

    place: str
    path: Path


@dataclass(frozen=True)
class BadRow:
    """A row, or a whole file, that cannot be read, and why."""

    place: str
    problem: CurbsideError


def read_rows(paths: Sequence[Path], limit: int | None = None) -> Iterator[Row | BadRow]:
    """The rows of `paths` in order, folders by name; stops after `limit` good ones.

    A plain text's external id is its file name (below a folder, its path in that folder). Hidden files
    are passed over; a file of another kind is listed as a BadRow.
    """
    good = 0
    for path in paths:
        for file, name in _files(path):
            for row in _read_file(file, name):
                yield row
                good += isinstance(row, Row)
                if good == limit:
                    return


def read_paths(
    paths: Sequence[Path], limit: int | None = None, *, large: int
) -> Iterator[Row | Document | LargeArchive | BadRow]:
    """As `read_rows`, with files of every other kind as Documents, each of which counts as one, and ZIPs of
    more than `large` bytes by their paths."""
    good = 0
    for path in paths:
        for file, name in _files(path):
            read: Iterable[Row | Document | LargeArchive | BadRow]
            if file.suffix.casefold() == ".zip" and file.is_file() and file.stat().st_size > large:
                read = [LargeArchive(_shown(name), file)]
            else:
                read = [_read_document(file, name)] if _is_document(file) else _read_file(file, name)
            for row in read:
                yield row
                good += not isinstance(row, BadRow)
                if good == limit:
                    return


def _files(path: Path) -> Iterator[tuple[Path, str]]:
    """The files of `path`, each with the name that it goes by."""
    if not path.is_dir():
        yield path, path.name
        return
    found = [(file.relative_to(path), file) for file in path.rglob("*") if file.is_file()]
    for relative, file in sorted(found):
        if not any(part.startswith(".") for part in relative.parts):
            yield file, relative.as_posix()


def _read_file(file: Path, name: str) -> Iterator[Row | BadRow]:
    shown = _shown(name)
    format = _format_of(file)
    try:
        if not file.exists():
            raise UnreadableFile(
                "the file cannot be read: there is none of that name", field="path", mend="Check its name."
            )
        if format is None:
            raise UnsupportedType(
                "the file is not of rows of reports",
                field="path",
                mend=f"Give it as {', '.join(FORMATS)}, also with {' or '.join(_COMPRESSED)}.",
            )
        with _open(file) as stream:
            for row in _rows(stream, format, name):
                place = shown if format is Format.TEXT else f"{shown} row {row.row}"
                yield (
                    Row(place, row.submission)
                    if isinstance(row, rows.GoodRow)
                    else BadRow(place, row.problem)
                )
    except BadInput as problem:
        yield BadRow(shown, problem)
    except (OSError, EOFError, lzma.LZMAError, zlib.error) as error:
        # gzip and lzma raise EOFError and their own errors where an archive is cut off or damaged.
        reason = getattr(error, "strerror", None) or "its compression is damaged or cut off"
        yield BadRow(
            shown, UnreadableFile(f"the file cannot be read: {reason}", field="path", mend="Check the file.")
        )


def _read_document(file: Path, name: str) -> Document | BadRow:
    shown = _shown(name)
    try:
        with _open(file) as stream:
            data = stream.read(_MAX_WHOLE + 1)
    except (OSError, EOFError, lzma.LZMAError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or "its compression is damaged or cut off"
        return BadRow(
            shown, UnreadableFile(f"the file cannot be read: {reason}", field="path", mend="Check the file.")
        )
    if len(data) > _MAX_WHOLE:
        return BadRow(
            shown,
            OversizedReport(f"the file has more than {_MAX_WHOLE} bytes", field="path", mend="Split it."),
        )
    return Document(shown, shown, data)


def _shown(name: str) -> str:
    """A name on disk need not be UTF-8, a console is."""
    return name.encode(errors="replace").decode()


def _is_document(file: Path) -> bool:
    """Whether the file is sent as it is: by its name, and for JSON by whether it is FHIR."""
    format = _format_of(file)
    if format is not Format.JSON:
        return format is None
    try:
        with _open(file) as stream:
            data = stream.read(_MAX_WHOLE)
            # First in FHIR's own order, last in that of the alphabet.
            return b'"resourceType"' in data[:_ENDS] + data[-_ENDS:]
    except (OSError, EOFError, lzma.LZMAError, zlib.error):
        return False  # reading it says why


def _format_of(file: Path) -> Format | None:
    plain = file.with_suffix("") if file.suffix.casefold() in _COMPRESSED else file
    return FORMATS.get(plain.suffix.casefold())


def _rows(stream: IO[bytes], format: Format, name: str) -> rows.Rows:
    if format is Format.NDJSON:
        return rows.read_lines(stream, _read)
    data = stream.read(_MAX_WHOLE + 1)
    if len(data) > _MAX_WHOLE:
        raise OversizedReport(
            f"the file has more than {_MAX_WHOLE} bytes", field="path", mend="Split it, or give it as .jsonl."
        )
    return rows.read_rows(data, format, _read, name=name)


def _read(row: dict[str, object]) -> Submission:
    return read_submission(row, source=_NO_SOURCE)


def _open(file: Path) -> AbstractContextManager[IO[bytes]]:
    match file.suffix.casefold():
        case ".gz":
            return cast(AbstractContextManager[IO[bytes]], gzip.open(file, "rb"))
        case ".xz":
            return lzma.open(file, "rb")
        case _:
            return file.open("rb")
