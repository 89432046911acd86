"""The reports of a large archive, file by file or line by line, none of it in the clear on any disk."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from curbside.errors import BadInput
from curbside.storage.blobs import BlobRef, BlobStore
from curbside_ingestion.domain.archives import ZIP, BadMember, read_members
from curbside_ingestion.domain.columns import Columns
from curbside_ingestion.domain.encoding import refuse_other_formats
from curbside_ingestion.domain.problems import EmptyReport, OversizedReport, TooManyReports
from curbside_ingestion.domain.report import read_submission
from curbside_ingestion.domain.rows import BadRow, GoodRow, Reader, Tables, read_lines
from curbside_ingestion.reading import Documents, placed
from curbside_ingestion.uploads.sealed_file import Archive, SealedFile
from curbside_ingestion.uploads.store import Piece, Upload

# An archive may unpack to so many times its size: text deflates to a fifth, and bombs to a thousandth.
_RATIO: Final = 100
_DIRECTORY_ENTRY: Final = 160  # bytes: 46, a name, and what packers add
_LOT_ROWS: Final = 100
_LOT_BYTES: Final = 8 * 2**20
_SIGNATURES: Final = (b"PK\x03\x04", b"PK\x05\x06")  # of a ZIP, and of one that is empty


@dataclass(frozen=True)
class Lot:
    """Rows that are taken in together. `members`: how many files or lines the archive had up to here."""

    rows: list[GoodRow | BadRow]
    members: int


@dataclass(frozen=True)
class Archives:
    """Reads archives. Limits of one file are those of a request's body."""

    documents: Documents
    blobs: BlobStore
    max_file_bytes: int
    max_members: int  # files or lines of one archive

    async def lots(
        self, upload: Upload, pieces: list[Piece], columns: Columns | None = None
    ) -> AsyncIterator[Lot]:
        """The rows behind those that `upload` says were taken in; `columns` is what its sender said of
        tables. Raises a BadInput where the archive cannot be read as a whole."""
        loop = asyncio.get_running_loop()

        def read(ref: BlobRef) -> bytes:  # in a thread, while the loop goes on
            return asyncio.run_coroutine_threadsafe(self.blobs.get(ref), loop).result()

        file = SealedFile(pieces, upload.length, read)
        head = await asyncio.to_thread(file.read, 256)
        is_zip = upload.media == ZIP or (not upload.media and (head or b"").startswith(_SIGNATURES))
        rows = self._of_zip(upload, file, columns) if is_zip else self._of_lines(upload, file, head or b"")
        async for lot in rows:
            yield lot

    async def _of_zip(self, upload: Upload, file: SealedFile, columns: Columns | None) -> AsyncIterator[Lot]:
        members = read_members(
            Archive(file, upload.length, max(2**20, self.max_members * _DIRECTORY_ENTRY)),
            max_members=self.max_members,
            max_bytes=max(self.documents.max_unpacked_bytes, _RATIO * upload.length),
            max_file_bytes=self.max_file_bytes,
            skip=upload.members,
        )
        said: dict[str, object] = {"source": upload.source}
        number, row = upload.members, upload.rows
        rows: list[GoodRow | BadRow] = []
        size = 0
        while (member := await asyncio.to_thread(next, members, None)) is not None:
            number += 1
            if isinstance(member, BadMember):
                found: list[GoodRow | BadRow] = [BadRow(1, member.problem)]
            else:
                tables = Tables(columns)
                found = await self.documents.rows_of_file(member.data, said, name=member.name, tables=tables)
                size += len(member.data)
            rows += [placed(one, row + index, f"file {number}") for index, one in enumerate(found, 1)]
            row += len(found)
            if len(rows) >= _LOT_ROWS or size >= _LOT_BYTES:
                yield Lot(rows, number)
                rows, size = [], 0
        if rows:
            yield Lot(rows, number)

    async def _of_lines(self, upload: Upload, file: SealedFile, head: bytes) -> AsyncIterator[Lot]:
        refuse_other_formats(head, "body")
        read = partial(read_submission, source=upload.source, max_characters=self.documents.max_characters)
        file.seek(0)
        lots = self._lots_of_lines(io.BufferedReader(file, 2**16), read, upload.members)
        blank = not upload.members
        while (lot := await asyncio.to_thread(next, lots, None)) is not None:
            blank = blank and not lot.rows
            yield lot
        if blank:
            raise EmptyReport("the archive is empty", field="body", mend="Send at least one report.")

    def _lots_of_lines(self, stream: io.BufferedReader, read: Reader, skip: int) -> Iterator[Lot]:
        """Blocks. Also a lot without rows where lines were blank, so that they are not read again."""
        rows: list[GoodRow | BadRow] = []
        size = number = 0
        while line := stream.readline(self.max_file_bytes + 1):
            number += 1
            if number > self.max_members:
                raise TooManyReports(
                    f"the archive has more than {self.max_members} lines",
                    field="body",
                    mend="Send it in parts, or raise CURBSIDE_INGESTION__MAX_UPLOAD_MEMBERS.",
                )
            whole = len(line) <= self.max_file_bytes
            rest = b"" if whole else line
            while rest and not rest.endswith(b"\n"):  # the rest of a line that is too long
                rest = stream.readline(2**20)
            if number <= skip:
                continue
            rows += _row(number, line, read) if whole else [_too_long(number)]
            size += len(line)
            if len(rows) >= _LOT_ROWS or size >= _LOT_BYTES:
                yield Lot(rows, number)
                rows, size = [], 0
        if number > skip:
            yield Lot(rows, number)


def _row(number: int, line: bytes, read: Reader) -> list[GoodRow | BadRow]:
    try:
        return [replace(row, row=number) for row in read_lines([line], read)]
    except EmptyReport:  # a blank line
        return []
    except BadInput as problem:
        return [BadRow(number, problem)]


def _too_long(number: int) -> BadRow:
    problem = OversizedReport(
        "the line is longer than one report may be", field="line", mend="Send one report on a line."
    )
    return BadRow(number, problem)
