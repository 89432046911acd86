"""Which field of a report took which columns of a table, how that was found, and a row read by it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from types import MappingProxyType
from typing import Any, Final, Literal

from curbside_ingestion.domain.columns import FIELDS, KNOWN, Columns, load_names, places_given, plain
from curbside_ingestion.domain.problems import BadShape, MissingColumns
from curbside_ingestion.domain.report import FIELD_NAMES

How = Literal["given", "name", "content"]

# A column is clearly prose by the median of its words. The shortest of MTSamples' 1,652 reports has 42, and
# the first line of an IMPRESSION there 13 at the median; names, types and addresses have fewer than six.
PROSE_WORDS: Final = 12
OTHER_WORDS: Final = 6
# What databases write where there is nothing. "NA" is not among them: it is a surname.
_NOTHING: Final = frozenset({"", "null", "(null)", "<null>", "\\n", "nan", "none", "n/a", "#n/a", "<na>"})
_LINE_BREAKS: Final = re.compile(r"\s*[\r\n]+\s*")
_PARTS: Final = ("given", "middle", "family")
# An id beside that which counts is searched for in the text all the same.
_ALSO: Final = MappingProxyType({"patient_id": "known.mrns", "external_id": "known.numbers"})


@dataclass(frozen=True)
class Table:
    """A table's columns. `header` as it stands in the file, None where it has none; `taken` holds each
    field's columns, the first 0, and `by` how they were found. `sections`: the text is all of its columns,
    each under its header, else the first of them that is filled. `given` are headers that the sender
    named."""

    header: tuple[str, ...] | None = field(repr=False)
    width: int
    taken: Mapping[str, tuple[int, ...]]
    by: Mapping[str, How]
    sections: bool = False
    given: frozenset[str] = field(default=frozenset(), repr=False)

    def row(self, cells: Sequence[str]) -> dict[str, object]:
        """What `read_submission` reads of `cells`, which are as many as the table is wide."""
        row: dict[str, object] = {}
        known: dict[str, list[str]] = {}
        for name, places in self.taken.items():
            if name == "text" and self.sections:
                row[name] = self._sections(cells)
            elif name not in KNOWN:
                row[name] = next((cells[place] for place in places if _filled(cells[place])), "")
            elif values := self._values(name, cells):
                known[name.partition(".")[2]] = values
        return {**row, "known": known} if known else row

    def told(self, *, quoting: bool) -> dict[str, Any]:
        """`columns`, `by` and `ignored`, for the sender. Unless `quoting` a header that neither they nor a
        rule named is told by its number: where the file has none, it is a patient's."""
        names = load_names()
        safe = names.all.union(self.given, *(section.names for section in names.sections))

        def called(place: int) -> str | int:
            header = self.header[place].strip() if self.header is not None else ""
            return header if header and (quoting or plain(header) in safe) else place + 1

        used = {place for places in self.taken.values() for place in places}
        filled = {name: places for name, places in self.taken.items() if places}
        return {
            "columns": {name: [called(place) for place in places] for name, places in filled.items()},
            "by": {name: self.by[name] for name in filled},
            "ignored": [called(place) for place in range(self.width) if place not in used],
        }

    def _sections(self, cells: Sequence[str]) -> str:
        parts: list[str] = []
        for place in self.taken["text"]:
            cell = cells[place].strip()
            if not _filled(cell):
                continue
            heading = plain(self.header[place]).replace("_", " ") if self.header is not None else ""
            headed = not heading or cell.casefold().startswith(heading)
            parts.append(cell if headed else f"{heading.upper()}: {cell}")
        return "\n\n".join(parts)

    def _values(self, name: str, cells: Sequence[str]) -> list[str]:
        """A cell's values are separated by semicolons. Of a name in parts also the whole: "Jane Q Doe" tells
        which of the words is the family's."""
        values: list[str] = []
        parts: dict[str, str] = {}
        for place in self.taken[name]:
            if not _filled(cells[place]):
                continue
            found = [_LINE_BREAKS.sub(", ", value.strip()) for value in cells[place].split(";")]
            values += [value for value in found if value]
            part = load_names().persons.get(plain(self.header[place])) if self.header is not None else None
            if part is not None and name == "known.names" and len(found) == 1:
                parts.setdefault(part, found[0])
        whole = " ".join(parts[part] for part in _PARTS if part in parts)
        return [*dict.fromkeys([whole, *values] if len(parts) > 1 and "family" in parts else values)]


def lay_out(
    header: Sequence[str] | None, width: int, rows: Sequence[Sequence[str]], columns: Columns | None
) -> Table:
    """The fields of a table of `width` columns: as `columns` says, the others by name, and the text by
    content of `rows` where no header names it. Raises BadColumns, BadShape or MissingColumns."""
    named = [plain(cell) for cell in header] if header is not None else None
    given = places_given(columns, named, width) if columns is not None else {}
    taken: dict[str, tuple[int, ...]] = dict(given)
    by: dict[str, How] = dict.fromkeys(given, "given")
    sections = len(taken.get("text", ())) > 1
    if named is not None:
        for name, places in _by_name(named, given).items():
            taken[name], by[name] = places, "name"
        if "text" not in taken and (places := _sections(named, taken)):
            taken["text"], by["text"], sections = places, "name", True
        if "text" not in taken and (place := _prose(header or (), rows, taken)) is not None:
            taken["text"], by["text"] = (place,), "content"
    if not taken.get("text"):
        raise _missing()
    return Table(
        tuple(header) if header is not None else None,
        width,
        {name: taken[name] for name in FIELDS if name in taken},
        by,
        sections,
        columns.headers if columns is not None else frozenset(),
    )


def _by_name(named: Sequence[str], given: Mapping[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
    """The columns of each field that was not given, by their names. Raises BadShape where two are called the
    same, and one field may have but one of them."""
    places: dict[str, list[int]] = {}
    used = {place for taken in given.values() for place in taken}
    for place, name in enumerate(named):
        if place not in used and name:
            places.setdefault(name, []).append(place)
    found: dict[str, tuple[int, ...]] = {}
    for name, names in load_names().fields.items():
        matching = [places[one] for one in names if one in places]
        if name in KNOWN:
            columns = sorted(place for one in matching for place in one)
        elif any(len(one) > 1 for one in matching) and name not in given:
            raise BadShape(
                "two columns of the CSV have the same name",
                field="body",
                mend="Rename one, or give the right one by its number in `columns`.",
            )
        else:
            columns = [place for one in matching for place in one]
        if columns:
            found[name] = tuple(columns)
    for name, also in _ALSO.items():
        # `given` may have taken another for it: what is called an id is one all the same.
        if others := found.get(name, ())[0 if name in given else 1 :]:
            found[also] = tuple(sorted({*found.get(also, ()), *others}))
    return {name: columns for name, columns in found.items() if name not in given}


def _sections(named: Sequence[str], taken: Mapping[str, tuple[int, ...]]) -> tuple[int, ...]:
    used = {place for places in taken.values() for place in places}
    for section in load_names().sections:
        places = [place for place, name in enumerate(named) if name in section.names and place not in used]
        if not section.anchors.isdisjoint(named[place] for place in places):
            return tuple(places)
    return ()


def _prose(
    header: Sequence[str], rows: Sequence[Sequence[str]], taken: Mapping[str, tuple[int, ...]]
) -> int | None:
    """The one column that is clearly prose, where what is above it is clearly a header: all of its cells are
    short, none is a number, and one is a name that we know."""
    used = {place for places in taken.values() for place in places}
    if not used or any(len(cell) > 40 or any(map(str.isdigit, cell)) for cell in header):
        return None
    words: dict[int, float] = {}
    for place in range(len(header)):
        cells = [row[place] for row in rows if len(row) == len(header) and _filled(row[place])]
        words[place] = median([len(cell.split()) for cell in cells]) if cells else 0
    prose = [place for place, count in words.items() if count >= OTHER_WORDS]
    if len(prose) != 1 or words[prose[0]] < PROSE_WORDS or prose[0] in used:
        return None
    return prose[0]


def _filled(cell: str) -> bool:
    return cell.strip().casefold() not in _NOTHING


def _missing() -> MissingColumns:
    # The header is not shown: in a file without one it is the first patient.
    return MissingColumns(
        "the CSV has no column of the report's text",
        field="text",
        mend=f"Name that column one of {', '.join(FIELD_NAMES['text'])} in the first line, or say which it "
        'is: columns={"text": "its header, or its number"}.',
        missing=["text"],
        accepted={name: list(names) for name, names in load_names().fields.items()},
    )
