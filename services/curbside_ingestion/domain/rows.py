"""Bodies and files of reports, row by row: TXT, CSV, JSON, NDJSON, told by content.

Good rows and bad rows come out in the order of the input; a bad row never stops those beside it. The
`original` of a row is that row alone (with the header in CSV), because each patient's originals are
encrypted under a key of their own; what came in another charset is kept in UTF-8.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace

from curbside.errors import BadInput, CurbsideError
from curbside_ingestion.domain.columns import Columns
from curbside_ingestion.domain.consents import Consent
from curbside_ingestion.domain.encoding import decode, refuse_other_formats
from curbside_ingestion.domain.formats import Format, format_of
from curbside_ingestion.domain.layouts import Table
from curbside_ingestion.domain.problems import BadShape, EmptyReport, TruncatedReport
from curbside_ingestion.domain.report import Submission
from curbside_ingestion.domain.tables import read_table
from curbside_ingestion.extraction.found import Kind, Quality

Reader = Callable[[dict[str, object]], Submission]


@dataclass
class Tables:
    """The tables of one request: what its sender said of columns, and what each of them was found to be.

    `place` is where the next one stands, e.g. "file 3".
    """

    columns: Columns | None = None
    place: str = "body"
    found: list[tuple[str, Table]] = field(default_factory=list)

    def note(self, table: Table) -> None:
        self.found.append((self.place, table))


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
    data: bytes,
    format: Format,
    read: Reader,
    *,
    charset: str | None = None,
    name: str | None = None,
    tables: Tables | None = None,
) -> Rows:
    """The rows of a whole body or file that is said to be of `format`. Raises a BadInput where the whole
    cannot be read.

    `name` becomes the external id of a plain text, which has no field for one.
    """
    tables = tables if tables is not None else Tables()
    if format is Format.NDJSON and _is_utf8(data, charset):
        refuse_other_formats(data[:256], "body")
        if _declared(data.decode("utf-8", "surrogateescape"), format, tables) is Format.NDJSON:
            # Line by line, so that a line with a broken byte does not spoil the others.
            yield from read_lines(data.split(b"\n"), read)
            return
    text = decode(data, charset=charset)
    told = _declared(text, format, tables)
    media_type = "" if told is format else told.value
    for row in rows_of(text, data, told, read, name=name, tables=tables):
        yield replace(row, media_type=media_type) if media_type and isinstance(row, GoodRow) else row


def rows_of(
    text: str, data: bytes, format: Format, read: Reader, *, name: str | None, tables: Tables
) -> Rows:
    """As `read_rows`, for `data` whose text and format are known."""
    match format:
        case Format.TEXT:
            yield _row(1, {"text": text, "external_id": name}, data, read)
        case Format.CSV:
            yield from _read_table(text, read, tables)
        case Format.JSON:
            yield from _read_json(text, data, read)
        case Format.NDJSON:
            yield from read_lines(
                (line.encode("utf-8", "surrogateescape") for line in text.split("\n")), read
            )


def _declared(text: str, format: Format, tables: Tables) -> Format:
    """The format of a text that is declared: what its content clearly is, else as declared. Lines of JSON may
    be one line, and a table is one by its declaration, whatever its headers are."""
    told = format_of(text, tables.columns)
    if told is Format.TEXT:
        return format
    lines = (
        format is Format.NDJSON and told is Format.JSON and not text.lstrip("\ufeff \r\n\t").startswith("[")
    )
    return format if lines else told


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


def _read_table(text: str, read: Reader, tables: Tables) -> Rows:
    for record in read_table(text, tables.columns, tables.note):
        if isinstance(record.row, CurbsideError):
            yield BadRow(record.number, record.row)
        else:
            original = record.original.encode("utf-8", "surrogateescape")
            yield _row(record.number, record.row, original, read)


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
