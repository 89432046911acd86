"""Which column of a table is which field of a report: as its sender says, or as its headers are called."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import yaml

from curbside_ingestion.domain.problems import BadColumns
from curbside_ingestion.domain.report import FIELD_NAMES, KNOWN_NAMES

COLUMNS_FILE: Final = Path(__file__).with_name("columns.yaml")
SINGLE: Final = (*FIELD_NAMES, "exclusions")
KNOWN: Final = tuple(f"known.{kind}" for kind in KNOWN_NAMES)
FIELDS: Final = (*SINGLE, *KNOWN)
MAX_GIVEN: Final = 4_000  # characters of what a sender says of columns
EXAMPLE: Final = '{"text": "Note Text", "known.names": ["Surname", "Forename"]}'
_SHORT: Final = "text=Note Text;known.names=Surname,Forename"
_MAX_COLUMN: Final = 100_000  # no table is wider, and a number of a thousand digits is none
# PatientID, MRNumber: where a word of letters begins that has no space before it.
_INNER_WORD: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")

Column = str | int  # a header, as `plain` has it, or a number, the first 1


def plain(header: str) -> str:
    """The form in which headers are compared: small letters and digits, words joined by underscores."""
    words = _INNER_WORD.sub("_", header.strip()).replace("'", "").replace("’", "")
    return re.sub(r"[\W_]+", "_", words.casefold()).strip("_")


@dataclass(frozen=True)
class Section:
    """Columns that are sections of one report, if one of `anchors` is there."""

    anchors: frozenset[str]
    names: frozenset[str]


@dataclass(frozen=True)
class Names:
    """What columns are called. `fields` holds each field's names, the preferred one first; `persons` the part
    of a name (given, middle, family) that a column holds."""

    fields: Mapping[str, tuple[str, ...]]
    persons: Mapping[str, str]
    sections: tuple[Section, ...]
    all: frozenset[str]


@cache
def load_names() -> Names:
    listed: dict[str, Any] = yaml.safe_load(COLUMNS_FILE.read_bytes())
    fields = {name: (*names, *listed["fields"].get(name, ())) for name, names in FIELD_NAMES.items()}
    fields["exclusions"] = ("exclusions",)
    for kind, names in KNOWN_NAMES.items():
        fields[f"known.{kind}"] = (*names, *listed["known"].get(kind, ()))
    sections = tuple(
        Section(frozenset(one["anchors"]), frozenset((*one["anchors"], *one["others"])))
        for one in listed["sections"]
    )
    persons = {name: part for part, names in listed["persons"].items() for name in names}
    every = frozenset(name for names in fields.values() for name in names)
    return Names(MappingProxyType(fields), MappingProxyType(persons), sections, every)


@dataclass(frozen=True)
class Columns:
    """What a sender says: for each field its columns. One without any takes none, whatever headers say."""

    given: Mapping[str, tuple[Column, ...]]

    @property
    def numbered(self) -> bool:
        """Whether all columns are given by number: the file then has no line of headers."""
        columns = [*self._each()]
        return bool(columns) and all(isinstance(column, int) for column in columns)

    @property
    def width(self) -> int:
        """The most columns that it speaks of by number."""
        return max((column for column in self._each() if isinstance(column, int)), default=0)

    @property
    def headers(self) -> frozenset[str]:
        return frozenset(column for column in self._each() if isinstance(column, str))

    def as_json(self) -> str:
        return json.dumps({field: [*columns] for field, columns in self.given.items()})

    def _each(self) -> Iterator[Column]:
        for columns in self.given.values():
            yield from columns


def read_columns(value: str) -> Columns:
    """`value` is a JSON object, or `field=column,column` for each field, separated by semicolons.

    Raises BadColumns, which quotes nothing.
    """
    if len(value) > MAX_GIVEN:
        raise BadColumns(
            f"columns has more than {MAX_GIVEN} characters", field="columns", mend="Name fewer columns."
        )
    if not value.lstrip().startswith("{"):
        return read_pairs(pair for pair in value.split(";") if pair.strip())
    try:
        said = json.loads(value, object_pairs_hook=_members)
    except (ValueError, RecursionError):
        raise BadColumns("columns is not JSON", field="columns", mend=f"Send e.g. {EXAMPLE}.") from None
    return _columns(said)


def read_pairs(pairs: Iterable[str]) -> Columns:
    """Of several `field=column,column`, as the command line has them. Raises BadColumns."""
    said: list[tuple[str, object]] = []
    for pair in pairs:
        field, equals, columns = pair.partition("=")
        if not equals:
            raise BadColumns(
                "columns names a field without its column",
                field="columns",
                mend=f"Say e.g. {_SHORT}.",
            )
        said.append((field.strip(), [one for one in columns.split(",") if one.strip()]))
    return _columns(_members(said))


def _members(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    if len({name for name, _ in pairs}) != len(pairs):
        raise BadColumns(
            "columns names a field twice", field="columns", mend="Name it once, with all of its columns."
        )
    return dict(pairs)


def _columns(said: Mapping[str, object]) -> Columns:
    given: dict[str, tuple[Column, ...]] = {}
    for field, columns in said.items():
        if field not in FIELDS:
            raise BadColumns(
                "columns names a field that no rule knows",
                field="columns",
                mend=f"Its fields are {', '.join(FIELDS)}.",
            )
        listed = columns if isinstance(columns, list) else [columns]
        given[field] = tuple(dict.fromkeys(_column(column, field) for column in listed))
        if field in SINGLE and field != "text" and len(given[field]) > 1:
            raise BadColumns(
                f"columns gives {field} more than one column",
                field=f"columns.{field}",
                mend="Give it one; text and known.* may have several.",
            )
    if not any(given.values()):
        raise BadColumns("columns gives no column", field="columns", mend=f"Send e.g. {EXAMPLE}.")
    singles: dict[Column, str] = {}
    for field in set(SINGLE).intersection(given):
        for column in given[field]:
            _refuse_shared(field, singles.setdefault(column, field))
    return Columns(MappingProxyType(given))


def _column(value: object, field: str) -> Column:
    """A number by what it is or as digits, else a header."""
    bad = BadColumns(
        f"columns does not say {field}'s column as a header or a number from 1 on",
        field=f"columns.{field}",
        mend=f"Send e.g. {EXAMPLE}, or numbers where the file has no headers.",
    )
    if isinstance(value, str) and re.fullmatch(r"\s*[0-9]{1,6}\s*", value):
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= _MAX_COLUMN:
        return value
    if not isinstance(value, str) or not plain(value):
        raise bad
    return plain(value)


def _refuse_shared(field: str, other: str) -> None:
    if field != other:
        raise BadColumns(
            f"columns gives one column to both {min(field, other)} and {max(field, other)}",
            field=f"columns.{max(field, other)}",
            mend="Give each a column of its own.",
        )


def places_given(columns: Columns, header: Sequence[str] | None, width: int) -> dict[str, tuple[int, ...]]:
    """For each field that `columns` speaks of the places of its columns, the first 0. `header` is in the form
    of `plain`, None where the file has none. Raises BadColumns where the table has no such column."""
    found: dict[str, tuple[int, ...]] = {}
    singles: dict[int, str] = {}
    for field, named in columns.given.items():
        found[field] = tuple(dict.fromkeys(_place(column, field, header, width) for column in named))
        for place in found[field] if field in SINGLE else ():
            _refuse_shared(field, singles.setdefault(place, field))
    return found


def _place(column: Column, field: str, header: Sequence[str] | None, width: int) -> int:
    if isinstance(column, int):
        if column > width:
            raise BadColumns(
                f"the column given for {field} is beyond the {width} columns of the table",
                field=f"columns.{field}",
                mend="Count from 1.",
            )
        return column - 1
    if header is None or column not in header:
        raise BadColumns(
            f"the column given for {field} is not among the headers of the table",
            field=f"columns.{field}",
            mend="Name it as the file's first line does, or by its number.",
        )
    if header.count(column) > 1:
        raise BadColumns(
            f"two columns of the table have the header given for {field}",
            field=f"columns.{field}",
            mend="Give it by its number.",
        )
    return header.index(column)
