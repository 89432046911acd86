"""Large archives to ingestion, as tus 1.0 has them: in pieces, and on from where a connection broke."""

from __future__ import annotations

import base64
import hashlib
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import IO, Any, Final

from curbside.runtime.client import Api, ApiProblem, patiently
from curbside.storage.directories import private_directory, write_private

# Archives of more bytes go up in pieces: the service takes 25 MB in one request.
LARGE: Final = 16_000_000
_PIECE: Final = 8 * 2**20
_POLL_SECONDS: Final = 1.0
_PAGE: Final = 1_000
_UPLOADS: Final = "/ingestion/v1/uploads"
_VERSIONED: Final = {"tus-resumable": "1.0.0"}
_GONE: Final = (HTTPStatus.NOT_FOUND, HTTPStatus.GONE)

Told = Callable[[int, str], None]


def send_archive(
    api: Api, path: Path, *, source: str, columns: str | None = None, memory: Path, told: Told
) -> dict[str, Any]:
    """Send `path`, and wait until it is worked through; what became of it, with all refused rows.

    Where an upload was begun before, as a file in the directory `memory` says, it goes on. `told` hears how
    many of its bytes, then of its rows, there are. `columns` says of its tables which columns are which
    fields, in JSON. Raises ApiProblem, Unavailable.
    """
    said = {"filetype": "application/zip", "source": source} | ({"columns": columns} if columns else {})
    note = memory / _name(api, path, source, columns)
    batch_id = _sent(api, path, said, note, told)
    while True:
        outcome: dict[str, Any] = api.poll(f"/ingestion/v1/batches/{batch_id}", limit=1)
        told(outcome["rows"], "reports")
        if outcome["received_at"] is not None:
            break
        time.sleep(_POLL_SECONDS)
    note.unlink(missing_ok=True)
    if outcome["problem"] is not None:
        raise ApiProblem(outcome["problem"])
    return outcome | {"rejected": [*_refused(api, batch_id)]}


def _sent(api: Api, path: Path, said: Mapping[str, str], note: Path, told: Told) -> str:
    """Send what is not there yet; the id of the batch."""
    location = note.read_text() if note.exists() else ""
    with path.open("rb") as file:
        while True:
            try:
                location = location or _begun(api, path, said, note)
                batch_id = patiently(partial(_add, api, location, file, told))
            except ApiProblem as problem:
                if problem.body["status"] not in _GONE:
                    raise
                location = ""  # it has expired: anew
            else:
                if batch_id is not None:
                    return batch_id


def _begun(api: Api, path: Path, said: Mapping[str, str], note: Path) -> str:
    metadata = ",".join(f"{name} {base64.b64encode(value.encode()).decode()}" for name, value in said.items())
    headers = {"upload-length": str(path.stat().st_size), "upload-metadata": metadata}
    answer = patiently(lambda: api.exchange("POST", _UPLOADS, headers=headers | _VERSIONED))
    private_directory(note.parent)
    write_private(note, answer.headers["location"])
    return str(answer.headers["location"])


def _add(api: Api, location: str, file: IO[bytes], told: Told) -> str | None:
    """Send the next piece; the id of the batch where all are there."""
    asked = api.exchange("HEAD", location, headers=_VERSIONED)
    if "upload-batch" in asked.headers:
        return str(asked.headers["upload-batch"])
    offset = int(asked.headers["upload-offset"])
    told(offset, "bytes")
    file.seek(offset)
    piece = file.read(_PIECE)
    digest = base64.b64encode(hashlib.sha256(piece).digest()).decode()
    headers = {
        "content-type": "application/offset+octet-stream",
        "upload-offset": str(offset),
        "upload-checksum": f"sha256 {digest}",
    }
    try:
        answer = api.exchange("PATCH", location, content=piece, headers=headers | _VERSIONED)
    except ApiProblem as problem:
        if problem.body["status"] == HTTPStatus.CONFLICT:  # an earlier request was still being written
            return None
        raise
    told(int(answer.headers["upload-offset"]), "bytes")
    return answer.headers.get("upload-batch")


def _refused(api: Api, batch_id: str) -> Iterator[dict[str, Any]]:
    after = 0
    while after is not None:
        page = api.poll(f"/ingestion/v1/batches/{batch_id}", after=after, limit=_PAGE)
        yield from page["rejected"]
        after = page["next"]


def _name(api: Api, path: Path, source: str, columns: str | None) -> str:
    """Of the same file, sent to the same place as from the same source, with the same columns."""
    there = path.stat()
    said: tuple[object, ...] = (api.base_url, str(path.resolve()), there.st_size, there.st_mtime_ns, source)
    if columns is not None:
        said = (*said, columns)
    return hashlib.sha256(repr(said).encode()).hexdigest()[:32]
