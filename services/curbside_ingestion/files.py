"""Files and folders of reports: texts, tables, JSON and lines of JSON, also compressed as .gz or .xz, and
documents of any other kind (PDF, DOCX, scans, HL7 v2, FHIR, C-CDA, ZIP), which the service reads. A file is
told by its content; its name counts where that says nothing, and lines of JSON of any length are read as they
come.

The rows of a path are the same every time, and in the same order, so that whoever posts them twice is
told the second time that they are there. Nothing here needs the server.
"""

from __future__ import annotations

import gzip
import lzma
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any, Final, cast

from curbside.errors import BadInput, CurbsideError
from curbside_ingestion.domain import rows
from curbside_ingestion.domain.encoding import decode_unlabelled
from curbside_ingestion.domain.formats import Format, format_of
from curbside_ingestion.domain.problems import OversizedReport, UnreadableFile, UnsupportedType
from curbside_ingestion.domain.report import Submission, read_submission, source_named
from curbside_ingestion.domain.rows import Tables
from curbside_ingestion.extraction.found import Kind
from curbside_ingestion.extraction.sniffing import kind_of

FORMATS: Final = MappingProxyType(
    {
        ".txt": Format.TEXT,
        ".csv": Format.CSV,
        ".tsv": Format.CSV,
        ".tab": Format.CSV,
        ".json": Format.JSON,
        ".jsonl": Format.NDJSON,
        ".ndjson": Format.NDJSON,
    }
)
_COMPRESSED: Final = (".gz", ".xz")
# 256 MB decompressed: CSV and JSON are read whole, and a small archive may hold terabytes. NDJSON streams.
_MAX_WHOLE: Final = 256_000_000
_NO_SOURCE: Final = ""
_HEAD: Final = 4_096  # bytes by which lines of JSON are believed to be some


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


def read_rows(
    paths: Sequence[Path], limit: int | None = None, *, tables: Tables | None = None
) -> Iterator[Row | BadRow]:
    """The rows of `paths` in order, folders by name; stops after `limit` good ones.

    A plain text's external id is its file name (below a folder, its path in that folder). Hidden files
    are passed over; a file of another kind is listed as a BadRow. `tables` is told of each table.
    """
    good = 0
    for path in paths:
        for file, name in _files(path):
            for row in _read_file(file, name, tables or Tables()):
                yield row
                good += isinstance(row, Row)
                if good == limit:
                    return


def read_paths(
    paths: Sequence[Path], limit: int | None = None, *, large: int, tables: Tables | None = None
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
                read = _read_any(file, name, tables or Tables())
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


def _read_file(file: Path, name: str, tables: Tables) -> Iterator[Row | BadRow]:
    """The rows of a file whose name says that it has some."""
    format = _format_of(file)
    with _listing(_shown(name)) as bad:
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
            yield from _rows(stream, format, name, tables)
    yield from bad


def _read_any(file: Path, name: str, tables: Tables) -> Iterator[Row | Document | BadRow]:
    """The rows of a file of whatever name, or the file where it is for the service to read."""
    shown, format = _shown(name), _format_of(file)
    if not file.exists():
        yield from _read_file(file, name, tables) if format else [_unreadable(shown, "there is no such file")]
        return
    with _listing(shown) as bad, _open(file) as stream:
        if format is Format.NDJSON and _begins_with_objects(stream):
            yield from _rows(stream, format, name, tables)
            return
        data = _whole(stream)
        if _is_document(data, format, tables):
            yield Document(shown, shown, data)
        else:
            yield from _rows_of(data, format or Format.TEXT, name, tables)
    yield from bad


@contextmanager
def _listing(shown: str) -> Iterator[list[BadRow]]:
    """A list for what goes wrong with a file: why it cannot be read, or not to its end."""
    bad: list[BadRow] = []
    try:
        yield bad
    except BadInput as problem:
        bad.append(BadRow(shown, problem))
    except (OSError, EOFError, lzma.LZMAError, zlib.error) as error:
        # gzip and lzma raise EOFError and their own errors where an archive is cut off or damaged.
        reason = getattr(error, "strerror", None) or "its compression is damaged or cut off"
        bad.append(_unreadable(shown, reason))


def _begins_with_objects(stream: IO[bytes]) -> bool:
    """Whether lines of JSON are so by their beginning, too: they are read as they come, however many."""
    head: bytes = cast(Any, stream).peek(_HEAD)
    head = head.lstrip(b"\xef\xbb\xbf \r\n\t")
    return not head or head.startswith(b"{")


def _unreadable(shown: str, reason: str) -> BadRow:
    problem = UnreadableFile(f"the file cannot be read: {reason}", field="path", mend="Check the file.")
    return BadRow(shown, problem)


def _shown(name: str) -> str:
    """A name on disk need not be UTF-8, a console is."""
    return name.encode(errors="replace").decode()


def _is_document(data: bytes, format: Format | None, tables: Tables) -> bool:
    """Whether the file is sent as it is: what is no text, also where its name says so, and a text of an
    unknown name, whose charset the service tells."""
    try:
        if kind_of(data) is not Kind.TEXT:
            return True
        return format is None and format_of(decode_unlabelled(data), tables.columns) is Format.TEXT
    except BadInput:
        return format is None  # the service says what is wrong with it


def _format_of(file: Path) -> Format | None:
    plain = file.with_suffix("") if file.suffix.casefold() in _COMPRESSED else file
    return FORMATS.get(plain.suffix.casefold())


def _rows(stream: IO[bytes], format: Format, name: str, tables: Tables) -> Iterator[Row | BadRow]:
    if format is Format.NDJSON:
        yield from _placed(rows.read_lines(stream, _read), format, name)
    else:
        yield from _rows_of(_whole(stream), format, name, tables)


def _rows_of(data: bytes, format: Format, name: str, tables: Tables) -> Iterator[Row | BadRow]:
    tables.place = _shown(name)
    read = rows.read_rows(_in_utf8(data), format, _read, name=name, tables=tables)
    yield from _placed(read, format, name)


def _placed(read: rows.Rows, format: Format, name: str) -> Iterator[Row | BadRow]:
    for row in read:
        other = row.row > 1 or (isinstance(row, rows.GoodRow) and row.media_type)
        place = f"{_shown(name)} row {row.row}" if format is not Format.TEXT or other else _shown(name)
        if isinstance(row, rows.GoodRow):
            yield Row(place, row.submission)
        else:
            yield BadRow(place, row.problem)


def _whole(stream: IO[bytes]) -> bytes:
    data = stream.read(_MAX_WHOLE + 1)
    if len(data) > _MAX_WHOLE:
        raise OversizedReport(
            f"the file has more than {_MAX_WHOLE} bytes", field="path", mend="Split it, or give it as .jsonl."
        )
    return data


def _in_utf8(data: bytes) -> bytes:
    """`data` in UTF-8 where its charset can be told, as spreadsheets save windows-1252; else as it is."""
    try:
        data.decode()
    except UnicodeDecodeError:
        try:
            return decode_unlabelled(data).encode()
        except (BadInput, UnicodeEncodeError):
            return data
    return data


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
