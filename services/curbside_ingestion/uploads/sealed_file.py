"""An upload's pieces as one file that can be read anywhere, of which little is ever in the clear."""

from __future__ import annotations

import bisect
import io
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, Final

from curbside.storage.blobs import BlobRef
from curbside_ingestion.extraction.found import OversizedDocument
from curbside_ingestion.uploads.store import Piece

_CACHED: Final = 4  # pieces: 16 MB; an archive's members lie behind each other


class SealedFile(io.RawIOBase):
    """Reads `length` bytes of `pieces` by `read`, which blocks: it is for a thread."""

    def __init__(self, pieces: Sequence[Piece], length: int, read: Callable[[BlobRef], bytes]) -> None:
        super().__init__()
        self._pieces = pieces
        self._starts = [piece.start for piece in pieces]
        self._length = length
        self._read = read
        self._cache: OrderedDict[int, bytes] = OrderedDict()
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._length}[whence]
        if base + offset < 0:
            raise OSError("a place before the file's start")  # as zipfile expects of a file
        self._at = base + offset
        return self._at

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer).cast("B")
        if self._at >= self._length or not len(view):
            return 0
        number = bisect.bisect_right(self._starts, self._at) - 1
        within = self._at - self._starts[number]
        part = self._piece(number)[within : within + len(view)]
        view[: len(part)] = part
        self._at += len(part)
        return len(part)

    def _piece(self, number: int) -> bytes:
        if number in self._cache:
            self._cache.move_to_end(number)
            return self._cache[number]
        data = self._cache[number] = self._read(self._pieces[number].blob)
        if len(self._cache) > _CACHED:
            self._cache.popitem(last=False)
        return data


class Archive(io.BufferedReader):
    """A sealed file for zipfile, which reads an archive's directory at once: at most `most` bytes."""

    def __init__(self, file: SealedFile, length: int, most: int) -> None:
        super().__init__(file, 2**16)
        self._length = length
        self._most = most

    def read(self, size: int | None = -1, /) -> bytes:
        asked = self._length - self.tell() if size is None or size < 0 else size
        if asked > self._most:
            raise OversizedDocument("the ZIP holds too many files", field="body", mend="Send it in parts.")
        return super().read(size)
