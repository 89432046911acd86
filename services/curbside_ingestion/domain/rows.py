"""Bodies and files of reports, row by row: TXT, CSV, JSON, NDJSON.

Good rows and bad rows come out in the order of the input; a bad row never stops those beside it. The
`original` of a row is that row alone (with the header in CSV), because each patient's originals are
encrypted under a key of their own; what came in another charset is kept in UTF-8.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from curbside.errors import BadInput, CurbsideError
from curbside_ingestion.domain.consents import Consent
from curbside_ingestion.domain.encoding import decode, refuse_other_formats
from curbside_ingestion.domain.problems import (
    BadShape,
    EmptyReport,
    MissingColumns,
    TruncatedReport,
)
from curbside_ingestion.domain.report import FIELD_NAMES, KNOWN_NAMES, Submission
from curbside_ingestion.extraction.found import Kind, Quality

# Hospitals' exports separate by comma, and by semicolon where the comma is the decimal sign.
_DELIMITERS: Final = ",;\t|"

Reader = Callable[[dict[str, object]], Submission]


class Format(StrEnum):
    TEXT = "text/plain"
    CSV = "text/csv"
    JSON = "application/json"
    NDJSON = "application/x-ndjson"


@dataclass(frozen=True)
class GoodRow:
    """A report, its place in the input (the first is 1), and its own bytes.

    `waits_as` is the kind of a document whose text is extracted later; `quality` is that of a text which was
    read off images. `media_type` is empty where it is that of the whole input. `place` is that within a
    document that holds several, e.g. "entry 3, DiagnosticReport". With a `consent` it
    is what a patient said, and no report.
    """

    row: int
    submission: Submission
    original: bytes = field(repr=False)
    waits_as: Kind | None = None
    quality: Quality | None = None
    media_type: str = ""
    place: str = ""
    consent: Consent | None = None


@dataclass(frozen=True)
class BadRow:
    """What is wrong with a row. Where it was raised is forgotten: those frames would keep the document."""

    row: int
    problem: CurbsideError

    def __post_init__(self) -> None:
        self.problem.__traceback__ = self.problem.__context__ = None


Rows = Iterator[GoodRow | BadRow]


def read_rows(
    data: bytes, format: Format, read: Reader, *, charset: str | None = None, name: str | None = None
) -> Rows:
    """The rows of a whole body or file. Raises a BadInput where the whole cannot be read.

    `name` becomes the external id of a plain text, which has no field for one.
    """
    if format is Format.NDJSON and _is_utf8(data, charset):
        # Line by line, so that a line with a broken byte does not spoil the others.
        refuse_other_formats(data[:256], "body")
        yield from read_lines(data.split(b"\n"), read)
        return
    text = decode(data, charset=charset)
    match format:
        case Format.TEXT:
            yield _row(1, {"text": text, "external_id": name}, data, read)
        case Format.CSV:
            yield from _read_csv(text, read)
        case Format.JSON:
            yield from _read_json(text, data, read)
        case Format.NDJSON:
            yield from read_lines((line.encode("utf-8", "surrogatepass") for line in text.split("\n")), read)


def read_lines(lines: Iterable[bytes], read: Reader) -> Rows:
    """The rows of NDJSON, where `row` is the number of the line; blank lines are skipped.

    Raises EmptyReport where all are blank.
    """
    blank = True
    for number, line in enumerate(lines, 1):
        line = line.rstrip(b"\r\n")
        if not line.removeprefix(codecs.BOM_UTF8).strip():
            continue
        blank = False
        try:
            value = _parse_json(decode(line, field="line"), "line")
        except BadInput as problem:
            yield BadRow(number, problem)
            continue
        yield _object_row(number, value, line, read)
    if blank:
        raise EmptyReport("body is empty", field="body", mend="Send at least one report.")


def read_object(data: bytes, read: Reader, *, charset: str | None = None) -> Submission:
    """The one report of a JSON body."""
    return read(_object(_parse_json(decode(data, charset=charset), "body"), "body"))


def _read_json(text: str, data: bytes, read: Reader) -> Rows:
    value = _parse_json(text, "body")
    if isinstance(value, dict) and "reports" in value:
        value = value["reports"]
        if not isinstance(value, list):
            raise BadShape(
                "reports must be an array", field="reports", mend='Send {"reports": [{"text": …}, …]}.'
            )
    if isinstance(value, dict):
        yield _row(1, value, data, read)
        return
    if not isinstance(value, list):
        raise BadShape(
            "the body is neither a report nor a list of reports",
            field="body",
            mend='Send {"text": …}, [{"text": …}, …] or {"reports": [{"text": …}, …]}.',
        )
    if not value:
        raise EmptyReport("the list of reports is empty", field="body", mend="Send at least one report.")
    for number, item in enumerate(value, 1):
        original = json.dumps(item, ensure_ascii=False).encode("utf-8", "surrogatepass")
        yield _object_row(number, item, original, read)


def _read_csv(text: str, read: Reader) -> Rows:
    text = text.removeprefix("\ufeff")
    lines = _Recorded(io.StringIO(text, newline=""))
    # A report may be one field of any length; the limit that counts is that of the body.
    csv.field_size_limit(max(csv.field_size_limit(), len(text) + 1))
    head = io.StringIO(text.lstrip("\r\n"), newline="").readline()
    reader = csv.reader(lines, strict=True, delimiter=_delimiter(head))
    try:
        header = [_column(cell) for cell in _first(reader)]
    except csv.Error:
        raise BadShape(
            "the header of the CSV has a quote that is never closed", field="body", mend="Close it."
        ) from None
    _require_columns(header)
    header_lines = lines.take()
    number = 0
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            # After a broken quote no row's borders are sure: what follows could put a name into a text.
            yield BadRow(number + 1, _broken_quote(str(error)))
            return
        if cells is None:
            break
        original = (header_lines + lines.take()).encode("utf-8", "surrogateescape")
        if not cells:
            continue
        number += 1
        if len(cells) != len(header):
            yield BadRow(
                number,
                BadShape(
                    f"the row has {len(cells)} columns, the header {len(header)}",
                    field="body",
                    mend="Quote fields that hold separators, quotes or line breaks (RFC 4180).",
                ),
            )
        else:
            yield _row(number, dict(zip(header, cells, strict=True)), original, read)
    if not number:
        raise EmptyReport("the CSV has a header and no row", field="body", mend="Send at least one report.")


class _Recorded:
    """Lines on their way into the CSV reader, kept until taken: a record may span many."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = iter(lines)
        self._kept: list[str] = []

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self._kept.append(line)
        return line

    def take(self) -> str:
        taken = "".join(self._kept)
        self._kept.clear()
        return taken


def _column(cell: str) -> str:
    return cell.strip().casefold().replace(" ", "_").replace("-", "_")


def _first(reader: Iterator[list[str]]) -> list[str]:
    return next((cells for cells in reader if cells), [])


def _delimiter(head: str) -> str:
    """The separator under which the header names a column of text; a comma where none does."""
    for delimiter in _DELIMITERS:
        cells = {_column(cell.strip('" \r\n')) for cell in head.split(delimiter)}
        if cells & set(FIELD_NAMES["text"]):
            return delimiter
    return ","


def _require_columns(header: list[str]) -> None:
    if not set(header) & set(FIELD_NAMES["text"]):
        # The header is not shown: in a file without one it is the first patient.
        accepted = {name: list(names) for name, names in (FIELD_NAMES | KNOWN_NAMES).items()}
        raise MissingColumns(
            "the CSV has no column of the report's text",
            field="text",
            mend=f"Name that column one of {', '.join(FIELD_NAMES['text'])} in the first line.",
            missing=["text"],
            accepted=accepted,
        )
    named = [name for name in header if name]
    if len(set(named)) != len(named):
        raise BadShape("two columns of the CSV have the same name", field="body", mend="Rename one.")


def _broken_quote(reason: str) -> CurbsideError:
    if "unexpected end" in reason:
        return TruncatedReport(
            "the row's quote is never closed: the file was cut off, or a quote is missing",
            field="body",
            mend="Send it whole, with quotes inside a field doubled. Nothing after this row was read.",
        )
    return BadShape(
        "the row has a quote where none can stand",
        field="body",
        mend="Double the quotes inside a quoted field (RFC 4180). Nothing after this row was read.",
    )


def _is_utf8(data: bytes, charset: str | None) -> bool:
    marked = data.startswith((b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff"))
    return not marked and (charset or "utf-8").casefold() in ("utf-8", "utf8")


def _parse_json(text: str, field: str) -> object:
    try:
        parsed: object = json.loads(text.removeprefix("\ufeff"))
    except json.JSONDecodeError as error:
        if error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated string"):
            raise TruncatedReport(
                f"the JSON of {field} ends before it is complete: it was cut off",
                field=field,
                mend="Send it whole.",
            ) from None
        raise BadShape(
            f"{field} is not JSON: {error.msg} at line {error.lineno}, column {error.colno}",
            field=field,
            mend="Mend the JSON (RFC 8259).",
        ) from None
    except (RecursionError, ValueError):
        raise BadShape(
            f"{field} is nested too deeply, or holds a number too long",
            field=field,
            mend='Send {"text": …}.',
        ) from None
    return parsed


def _object(value: object, field: str) -> dict[str, object]:
    if not isinstance(value, dict):
        raise BadShape(f"{field} is no JSON object", field=field, mend='Send {"text": …}.')
    return value


def _object_row(number: int, value: object, original: bytes, read: Reader) -> GoodRow | BadRow:
    try:
        row = _object(value, "row")
    except BadShape as problem:
        return BadRow(number, problem)
    return _row(number, row, original, read)


def _row(number: int, row: dict[str, object], original: bytes, read: Reader) -> GoodRow | BadRow:
    try:
        return GoodRow(number, read(row), original)
    except BadInput as problem:
        return BadRow(number, problem)
