"""From what was sent to rows: which documents are read at once, and which once they are acknowledged."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final, ParamSpec, TypeVar

from curbside.errors import BadInput
from curbside.phi import PhiText
from curbside_ingestion.domain.archives import BadMember, read_members
from curbside_ingestion.domain.consents import read_consent
from curbside_ingestion.domain.problems import TooManyReports
from curbside_ingestion.domain.report import Submission, read_submission
from curbside_ingestion.domain.rows import BadRow, GoodRow
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

    async def rows(self, data: bytes, said: Mapping[str, object]) -> list[GoodRow | BadRow]:
        """The reports of one document. One that is no text and holds one report gives a row without its text,
        which is extracted later. Raises a BadInput where the document cannot be taken as a whole."""
        return await self.rows_as(await _aside(data, kind_of, data), data, said)

    async def rows_as(self, kind: Kind, data: bytes, said: Mapping[str, object]) -> list[GoodRow | BadRow]:
        """As `rows`, for a document that is known to be of `kind`."""
        if kind in CONTAINERS:
            extraction = await self.extractors.extract(data, kind)
            return await asyncio.to_thread(self._rows_of, extraction, kind, data, said)
        if kind is Kind.TEXT:
            text = (await _aside(data, plain.read_text, data)).text
            read = read_submission({**said, "text": text}, max_characters=self.max_characters)
            return [GoodRow(1, read, data, media_type=kind.value)]
        read = read_submission(said, textless=True)
        return [GoodRow(1, read, data, waits_as=kind, media_type=kind.value)]

    async def rows_of_archive(
        self, data: bytes, said: Mapping[str, object], hold: Callable[[int], None] = lambda _: None
    ) -> list[GoodRow | BadRow]:
        """The reports of every file of a ZIP, numbered through. A file's name is its report's external id,
        where it holds one that has none of its own. `hold` is told of the bytes that each unpacks to, and
        raises where there are too many."""
        rows: list[GoodRow | BadRow] = []
        members = read_members(
            data,
            max_members=self.max_reports,
            max_bytes=self.max_unpacked_bytes,
            max_file_bytes=self.max_file_bytes,
        )
        number = 0
        while (member := await asyncio.to_thread(next, members, None)) is not None:
            number += 1
            if isinstance(member, BadMember):
                found: list[GoodRow | BadRow] = [BadRow(1, member.problem)]
            else:
                hold(len(member.data))
                found = await self.rows_of_file(member.data, said, name=member.name)
            rows += [placed(row, len(rows) + index, f"file {number}") for index, row in enumerate(found, 1)]
            self.check(len(rows))
        return rows

    async def rows_of_file(
        self, data: bytes, said: Mapping[str, object], *, name: str
    ) -> list[GoodRow | BadRow]:
        """As `rows`, for a file of a name; one that cannot be read is a bad row."""
        try:
            return await self.rows(data, {"external_id": name[-_MAX_NAME:], **said})
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
