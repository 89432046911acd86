"""From what was sent to rows: which documents are read at once, and which once they are acknowledged."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from typing import Final, ParamSpec, TypeVar

from curbside.errors import BadInput
from curbside.phi import PhiText
from curbside_ingestion.domain.archives import BadMember, read_members
from curbside_ingestion.domain.consents import read_consent
from curbside_ingestion.domain.encoding import decode
from curbside_ingestion.domain.formats import Format, format_of
from curbside_ingestion.domain.problems import TooManyReports, WrongEncoding
from curbside_ingestion.domain.report import Submission, fills, read_identifier, read_submission
from curbside_ingestion.domain.rows import BadRow, GoodRow, Tables, rows_of
from curbside_ingestion.extraction import plain
from curbside_ingestion.extraction.extracting import CONTAINERS
from curbside_ingestion.extraction.found import ConsentFound, Extraction, Kind
from curbside_ingestion.extraction.pool import Extractors
from curbside_ingestion.extraction.sniffing import kind_of

_SMALL: Final = 65_536  # bytes that are looked at without a thread
_MAX_NAME: Final = 200  # characters of a file's path; its end tells it from others
_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Documents:
    """Reads documents, told by their content. `said` are the fields that their sender gave with them."""

    extractors: Extractors
    max_characters: int  # of one report
    max_reports: int  # of one body
    max_unpacked_bytes: int  # of an archive
    max_file_bytes: int  # of a file in it: it is held in memory, as a body is

    async def rows(
        self, data: bytes, said: Mapping[str, object], tables: Tables | None = None
    ) -> list[GoodRow | BadRow]:
        """The reports of one document. One that is no text and holds one report gives a row without its text,
        which is extracted later. `tables` is told of the table that it is. Raises a BadInput where the
        document cannot be taken as a whole."""
        return await self.rows_as(await _aside(data, kind_of, data), data, said, tables)

    async def rows_as(
        self, kind: Kind, data: bytes, said: Mapping[str, object], tables: Tables | None = None
    ) -> list[GoodRow | BadRow]:
        """As `rows`, for a document that is known to be of `kind`."""
        return await self._rows(kind, data, said, tables or Tables(), "")

    async def rows_of_archive(
        self,
        data: bytes,
        said: Mapping[str, object],
        hold: Callable[[int], None] = lambda _: None,
        tables: Tables | None = None,
    ) -> list[GoodRow | BadRow]:
        """The reports of every file of a ZIP, numbered through. A file's name is its report's external id,
        where it holds one that has none of its own, and no rows. `hold` is told of the bytes that each
        unpacks to, and raises where there are too many."""
        rows: list[GoodRow | BadRow] = []
        tables = tables or Tables()
        members = read_members(
            data,
            max_members=self.max_reports,
            max_bytes=self.max_unpacked_bytes,
            max_file_bytes=self.max_file_bytes,
        )
        number = 0
        while (member := await asyncio.to_thread(next, members, None)) is not None:
            number += 1
            tables.place = f"file {number}"
            if isinstance(member, BadMember):
                found: list[GoodRow | BadRow] = [BadRow(1, member.problem)]
            else:
                hold(len(member.data))
                found = await self.rows_of_file(member.data, said, name=member.name, tables=tables)
            rows += [placed(row, len(rows) + index, tables.place) for index, row in enumerate(found, 1)]
            self.check(len(rows))
        return rows

    async def rows_of_file(
        self, data: bytes, said: Mapping[str, object], *, name: str, tables: Tables | None = None
    ) -> list[GoodRow | BadRow]:
        """As `rows`, for a file of a name; one that cannot be read is a bad row."""
        try:
            kind = await _aside(data, kind_of, data)
            return await self._rows(kind, data, said, tables or Tables(), name[-_MAX_NAME:])
        except BadInput as problem:
            return [BadRow(1, problem)]

    def check(self, reports: int) -> None:
        """Raise TooManyReports where a body holds more than it may."""
        if reports > self.max_reports:
            raise TooManyReports(
                f"the body holds more than {self.max_reports} reports",
                field="body",
                mend="Send it in parts, or raise CURBSIDE_INGESTION__MAX_BATCH_REPORTS.",
            )

    async def _rows(
        self, kind: Kind, data: bytes, said: Mapping[str, object], tables: Tables, name: str
    ) -> list[GoodRow | BadRow]:
        """`name` is that of a file, empty where it is none."""
        if kind is Kind.TEXT:
            return await _aside(data, self._rows_of_text, data, said, tables, name)
        if name:
            said = {"external_id": name, **said}
        if kind in CONTAINERS:
            extraction = await self.extractors.extract(data, kind)
            return await asyncio.to_thread(self._rows_of, extraction, kind, data, said)
        read = read_submission(said, textless=True)
        return [GoodRow(1, read, data, waits_as=kind, media_type=kind.value)]

    def _rows_of_text(
        self, data: bytes, said: Mapping[str, object], tables: Tables, name: str
    ) -> list[GoodRow | BadRow]:
        text, format = _told(data, tables, name)
        if format is Format.TEXT:
            fields = {"external_id": name or None, **said, "text": plain.read_characters(text).text}
            read = read_submission(fields, max_characters=self.max_characters)
            return [GoodRow(1, read, data, media_type=format.value)]
        shared = {field: value for field, value in said.items() if field != "external_id"}
        reader = partial(self._read_row, shared, read_submission(shared, textless=True))
        found = rows_of(text, data, format, reader, name=None, tables=tables)
        rows = [*islice(found, self.max_reports + 1)]
        self.check(len(rows))
        own = read_identifier(said.get("external_id"), "external_id")
        return [_of_format(row, format, own if len(rows) == 1 else None, bool(name)) for row in rows]

    def _read_row(
        self, shared: Mapping[str, object], by_sender: Submission, row: dict[str, object]
    ) -> Submission:
        """A row, which counts more than what its sender says of all of them."""
        given = {field: value for field, value in shared.items() if not fills(row, field)}
        read = read_submission({**row, **given}, max_characters=self.max_characters)
        return read.with_what(by_sender)

    def _rows_of(
        self, extraction: Extraction, kind: Kind, data: bytes, said: Mapping[str, object]
    ) -> list[GoodRow | BadRow]:
        """What a document says of a report counts more than what its sender says of all of them; what must
        never train, or is known of somebody, is so whoever says it."""
        alone = len(extraction.found) == 1
        given = {name: value for name, value in said.items() if alone or name != "external_id"}
        by_sender = read_submission(given, textless=True)
        rows: list[GoodRow | BadRow] = []
        for number, found in enumerate(extraction.found, 1):
            original = data if found.original is None else found.original
            try:
                row = {**given, **{name: value for name, value in found.row.items() if value}}
                read = read_submission(row, max_characters=self.max_characters).with_what(by_sender)
            except BadInput as problem:
                rows.append(placed(BadRow(number, problem), number, found.place))
                continue
            rows.append(
                GoodRow(
                    number,
                    read,
                    original,
                    quality=found.quality,
                    media_type=kind.value,
                    place=found.place,
                )
            )
        for consent in extraction.consents:
            taken = _consent_row(len(rows) + 1, consent, by_sender.source)
            rows.append(placed(taken, len(rows) + 1, consent.place))
        for refused in extraction.refused:
            rows.append(placed(BadRow(len(rows) + 1, refused.problem), len(rows) + 1, refused.place))
        self.check(len(rows))
        return rows


def _told(data: bytes, tables: Tables, name: str) -> tuple[str, Format]:
    """The characters of a text, and what it is by them. Where a broken byte spoils a few rows of many, and
    they are in UTF-8, it stays in them, and only they are refused."""
    try:
        text = plain.decoded(data)
    except WrongEncoding:
        text = decode(data)
        format = format_of(text, tables.columns, name=name)
        if format not in (Format.CSV, Format.NDJSON):
            raise
        return text, format
    return text, format_of(text, tables.columns, name=name)


def _of_format(row: GoodRow | BadRow, format: Format, own: PhiText | None, in_file: bool) -> GoodRow | BadRow:
    """`row` of a document of `format`; `own` is the external id that its sender gives it, if it has none."""
    if isinstance(row, BadRow):
        return placed(row, row.row, f"row {row.row}") if in_file else row
    submission = row.submission
    if own is not None and submission.external_id is None:
        submission = replace(submission, external_id=own)
    return replace(row, submission=submission, media_type=format.value)


def placed(row: GoodRow | BadRow, number: int, place: str) -> GoodRow | BadRow:
    """`row` as the `number`th of its body; a problem also says where it stood, e.g. "entry 3"."""
    if isinstance(row, GoodRow):
        return replace(row, row=number)
    within = row.problem.extensions.get("place")
    row.problem.extensions["place"] = f"{place}, {within}" if within else place
    return BadRow(number, row.problem)


def _consent_row(number: int, found: ConsentFound, source: str) -> GoodRow | BadRow:
    try:
        consent = read_consent(found.row, now=datetime.now(UTC), source=source)
    except BadInput as problem:
        return BadRow(number, problem)
    return GoodRow(number, Submission(PhiText("")), b"", place=found.place, consent=consent)


async def _aside(
    data: bytes, call: Callable[_Parameters, _Result], *args: _Parameters.args, **kwargs: _Parameters.kwargs
) -> _Result:
    """`call`, in a thread where `data` is long: the loop has others to answer."""
    if len(data) <= _SMALL:
        return call(*args, **kwargs)
    return await asyncio.to_thread(call, *args, **kwargs)
