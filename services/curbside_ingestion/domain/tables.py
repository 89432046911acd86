"""Tables (CSV, TSV, by semicolons, by bars): whether a text is one, and its rows."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from statistics import median
from typing import Final

from curbside.errors import CurbsideError
from curbside_ingestion.domain.columns import Columns, load_names, plain
from curbside_ingestion.domain.layouts import Table, lay_out
from curbside_ingestion.domain.problems import BadColumns, BadShape, EmptyReport, TruncatedReport

# Hospitals' exports separate by comma, and by semicolon where the comma is the decimal sign.
DELIMITERS: Final = ",;\t|"
# Each row is kept with the header. A table of PostgreSQL has 1,600 columns at most, one of SQL Server 1,024.
MAX_HEADER: Final = 32_768  # characters
MAX_COLUMNS: Final = 2_000
_SAMPLE: Final = 500_000  # characters in which a table is recognised
_SAMPLED: Final = 50  # rows
# Excel's own: the first line may only say how the others are separated.
_SEPARATED_BY: Final = re.compile(r"sep=([,;\t|])(?:\r\n|\r|\n)")
_FIRST_LINE: Final = re.compile(r"[^\r\n]*")
# What stands in no header: dates, numbers, an address of e-mail.
_A_VALUE: Final = re.compile(r"[\d\s./:+-]*|.*@.*\..*|.*\d[/.-]\d+[/.-]\d.*")
_MAX_NAME: Final = 64  # characters of a header
_MAX_WORDS: Final = 8
# What one row must have of, for its table to be of reports: whose each is, or which.
_IDENTIFYING: Final = frozenset(
    {
        "external_id",
        "patient_id",
        "known.names",
        "known.mrns",
        "known.numbers",
        "known.dates_of_birth",
    }
)
_WORDS_OF_TEXT: Final = 6  # median of a column that is called as a text is, where nothing identifies a row


@dataclass(frozen=True)
class Record:
    """A row, the first 1: what `read_submission` reads, or its problem; and its own lines with the header."""

    number: int
    row: dict[str, object] | CurbsideError = field(repr=False)
    original: str = field(repr=False)


def read_table(text: str, columns: Columns | None, note: Callable[[Table], None]) -> Iterator[Record]:
    """The rows of a table; `note` is told which field took which column. Raises BadShape, BadColumns,
    MissingColumns or EmptyReport where no row can be read."""
    text, delimiter = _separated(_begun(text), columns)
    numbered = columns is not None and columns.numbered
    # A report may be one field of any length; the limit that counts is that of the body.
    csv.field_size_limit(max(csv.field_size_limit(), len(text) + 1))
    lines = _Recorded(text)
    reader = csv.reader(lines, strict=True, delimiter=delimiter)
    if not numbered and _is_too_long(text):
        raise _wide()
    first = _first(reader)
    header_lines, records = "", chain([first] if first else [], reader)
    if numbered:
        table = lay_out(None, len(first), (), columns)
        _refuse_header(table, first)
    else:
        header_lines, records = lines.take(), chain(reader)
        if len(header_lines) > MAX_HEADER:
            raise _wide()
        table = lay_out(first, len(first), _sample(text, delimiter)[1:], columns)
    note(table)
    number = 0
    while True:
        try:
            cells = next(records, None)
        except csv.Error as error:
            # After a broken quote no row's borders are sure: what follows could put a name into a text.
            yield Record(number + 1, _broken_quote(str(error)), "")
            return
        if cells is None:
            break
        original = header_lines + lines.take()
        if not cells:
            continue
        number += 1
        if len(cells) != table.width:
            yield Record(number, _uneven(len(cells), table), original)
        else:
            yield Record(number, table.row(cells), original)
    if not number:
        raise EmptyReport("the CSV has a header and no row", field="body", mend="Send at least one report.")


def is_table(text: str, columns: Columns | None = None, *, named: bool = False) -> bool:
    """Whether a text that nobody declared is a table of reports: a line of headers, or columns that are given
    by number, and rows of as many cells. In doubt it is none; but one whose file is `named` as a table needs
    no such headers, since else its patients would be one text."""
    return _believed(_begun(text), columns, named) is not None


def _separated(text: str, columns: Columns | None) -> tuple[str, str]:
    """The table without a line that only says how it is separated, and its separator."""
    said = _SEPARATED_BY.match(text)
    if said is not None:
        return text[said.end() :], said[1]
    believed = _believed(text, columns)
    if believed is not None:
        return text, believed
    given, names = (columns.headers if columns else frozenset()), load_names()
    texts = frozenset(names.fields["text"])

    def said_of(delimiter: str) -> tuple[int, bool, int, bool]:
        header = {plain(cell) for cell in _first_cells(text, delimiter)}
        width = columns is not None and columns.numbered and len(header) >= columns.width
        return len(header & given), bool(header & texts), len(header & names.all), width

    return text, max(DELIMITERS, key=said_of)


def _believed(text: str, columns: Columns | None, named: bool = False) -> str | None:
    """The separator under which `text` is clearly a table; None where it is under none."""
    said = _SEPARATED_BY.match(text)
    if said is not None:
        text = text[said.end() :]
    numbered = columns is not None and columns.numbered
    width = columns.width if columns is not None else 0
    narrow: str | None = None
    for delimiter in said[1] if said else DELIMITERS:
        header = _first_cells(text, delimiter, _SAMPLE if numbered else MAX_HEADER)
        if len(header) > 1 and _is_table(text, delimiter, header, columns, named):
            if not numbered or len(header) >= width:
                return delimiter
            narrow = narrow or delimiter
    return narrow


def _is_table(
    text: str, delimiter: str, header: Sequence[str], columns: Columns | None, called: bool
) -> bool:
    """By one of: columns that are given; a text and what identifies a row, both by name; a text by name that
    is prose in rows without exception; what identifies a row, and one column that is clearly prose."""
    named = [plain(cell) for cell in header]
    if columns is None and not called and load_names().all.isdisjoint(named):
        return False  # nearly every prose goes here
    records = _sample(text, delimiter)
    rows = records[1:]
    even = sum(len(row) == len(header) for row in rows)
    wholly = bool(rows) and even == len(rows)
    if called and wholly and len(rows) > 1:
        return True
    if columns is not None:
        if columns.numbered:
            # One that is narrower than what is spoken of, too: to say so is better than one text of all.
            return wholly and (len(rows) > 1 or (delimiter != "," and len(header) >= columns.width))
        if columns.headers and columns.headers <= set(named) and columns.width <= len(header):
            return True
        if wholly and len(rows) > 1 and _is_header(header):
            return True  # with a name that is wrong
    spaced = any(cell.startswith(" ") for cell in header[1:])
    if not _is_header(header) or (spaced and delimiter == "|"):  # bars of a printout
        return False
    try:
        table = lay_out(header, len(header), rows, None)
    except CurbsideError:
        return False
    identified = not _IDENTIFYING.isdisjoint(table.taken)
    if table.by["text"] == "content":
        return identified and wholly and len(rows) > 1
    if identified:
        # Rows that are all longer have separators in their texts: each is refused, and says why.
        longer = not spaced and all(len(row) >= len(header) for row in rows)
        return longer or (bool(rows) and even * 2 >= len(rows))
    others = any(named[place] for place in range(len(header)) if place not in table.taken["text"])
    words = [len(str(table.row(row)["text"]).split()) for row in rows if len(row) == len(header)]
    enough = wholly and len(rows) >= (2 if len(header) > 2 else 3)
    return others and not spaced and enough and median(words) >= _WORDS_OF_TEXT


def _is_header(cells: Sequence[str]) -> bool:
    """Whether each of `cells` may be a column's name: neither a value, nor a sentence."""
    filled = [cell.strip() for cell in cells if cell.strip()]
    return len(filled) * 2 > len(cells) and all(
        len(cell) <= _MAX_NAME
        and len(cell.split()) <= _MAX_WORDS
        and not cell.endswith(".")
        and not _A_VALUE.fullmatch(cell)
        for cell in filled
    )


def _begun(text: str) -> str:
    """`text` from its first line on that is not empty."""
    return text.removeprefix("\ufeff").lstrip("\r\n")


def _first_cells(text: str, delimiter: str, most: int = MAX_HEADER) -> list[str]:
    """The cells of the first record; none where it has more than `most` characters, or is none of a table."""
    lines = _Recorded(text[:most])
    try:
        cells = next(csv.reader(lines, strict=True, delimiter=delimiter), [])
    except csv.Error:
        return []
    return cells if len(text) <= most or len(lines.take()) < most else []


def _sample(text: str, delimiter: str) -> list[list[str]]:
    """The first records, without one that was cut off by the end of the sample or by a broken quote."""
    records: list[list[str]] = []
    head = io.StringIO(text[:_SAMPLE], newline="")
    csv.field_size_limit(max(csv.field_size_limit(), _SAMPLE))
    try:
        for cells in csv.reader(head, strict=True, delimiter=delimiter):
            if cells:
                records.append(cells)
            if len(records) > _SAMPLED + 1:
                return records[:-1]
    except csv.Error:
        return records
    return records[:-1] if len(text) > _SAMPLE else records


def _is_too_long(text: str) -> bool:
    """Whether the first line is longer than a header, and another follows it."""
    line = _FIRST_LINE.match(text)
    return line is not None and MAX_HEADER < line.end() < len(text)


def _first(reader: Iterator[list[str]]) -> list[str]:
    """The first record. Raises BadShape where none can be read, or a wider one than any table has."""
    try:
        cells = next((cells for cells in reader if cells), [])
    except csv.Error:
        raise BadShape(
            "the header of the CSV has a quote that is never closed", field="body", mend="Close it."
        ) from None
    if len(cells) > MAX_COLUMNS:
        raise _wide()
    return cells


def _refuse_header(table: Table, cells: Sequence[str]) -> None:
    """Where columns are given by number the first line is a report, and "note_text" is none."""
    texts = load_names().fields["text"]
    if cells and any(plain(cells[place]) in texts for place in table.taken["text"]):
        raise BadColumns(
            "all columns are given by number, which is of a file without headers, and this one has them",
            field="columns",
            mend="Name at least one column by its header.",
        )


def _wide() -> BadShape:
    return BadShape(
        f"the first line of the CSV has more than {MAX_COLUMNS} columns or {MAX_HEADER} characters",
        field="body",
        mend="Send the columns that are of the reports, under a line of headers.",
    )


def _uneven(count: int, table: Table) -> BadShape:
    other = "header" if table.header is not None else "first row"
    return BadShape(
        f"the row has {count} columns, the {other} {table.width}",
        field="body",
        mend="Quote fields that hold separators, quotes or line breaks (RFC 4180).",
    )


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


class _Recorded:
    """Lines of a text on their way into the CSV reader, and where they stand: a record may span many."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._lines = io.StringIO(text, newline="")
        self._start = self._end = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self._end += len(line)
        return line

    def take(self) -> str:
        """What was read since it was last taken."""
        taken = self._text[self._start : self._end]
        self._start = self._end
        return taken
