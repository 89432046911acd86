"""Resumable uploads: tus 1.0 over HTTP, archives that are worked through, and what breaks off on the way."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import io
import json
import os
import zipfile
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import pytest
import uvicorn
from sqlalchemy import func, select, update

from curbside.contracts.codec import from_bytes
from curbside.contracts.topics import REPORTS_RECEIVED
from curbside.errors import CurbsideError, StorageFull, TooBusy
from curbside.identity.principal import Principal, Role
from curbside.runtime.client import Api
from curbside.runtime.host import listen
from curbside.runtime.ingesting import ingest_paths
from curbside.runtime.uploading import send_archive
from curbside.settings import RuntimeSettings
from curbside.storage.blobs import BlobRef, BlobStore
from curbside.storage.zones import Zone
from curbside.testing.platform import TestPlatform, open_test_platform
from curbside.testing.servers.process import free_port
from curbside_ingestion.domain.problems import TruncatedReport
from curbside_ingestion.domain.rows import GoodRow
from curbside_ingestion.domain.uploads import PIECE_BYTES
from curbside_ingestion.extraction.pool import ParserEnded
from curbside_ingestion.receiving import Accepted, Refused
from curbside_ingestion.uploads.handlers import Uploads, subject_of
from curbside_ingestion.uploads.store import PIECES, UPLOADS
from curbside_ingestion.uploads.working import UploadQueue

pytestmark = pytest.mark.usefixtures("halves")

NAME = "Wolfgang Katzenbach"
PATH = "/ingestion/v1/uploads"
STEWARD = Principal("token:test", "default", frozenset({Role.STEWARD}))


@dataclass
class Client:
    opened: TestPlatform
    http: httpx2.AsyncClient

    async def ask(
        self, method: str, path: str = PATH, *, content: Any = None, **headers: Any
    ) -> httpx2.Response:
        """With header names as words: upload_length is Upload-Length."""
        said = {"tus-resumable": "1.0.0"} | {
            name.replace("_", "-"): str(value) for name, value in headers.items()
        }
        return await self.http.request(method, path, content=content, headers=said)

    async def begin(self, length: int, **said: str) -> str:
        """The path of a new upload; `said` is its metadata."""
        pairs = [f"{name} {base64.b64encode(value.encode()).decode()}" for name, value in said.items()]
        headers = {"upload_metadata": ",".join(pairs)} if pairs else {}
        answer = await self.ask("POST", upload_length=length, **headers)
        assert answer.status_code == 201, answer.text
        return str(answer.headers["location"])

    async def add(self, path: str, offset: int, data: bytes, **headers: Any) -> httpx2.Response:
        media = {"content_type": "application/offset+octet-stream"}
        return await self.ask("PATCH", path, content=data, upload_offset=offset, **(media | headers))

    async def upload(self, data: bytes, **said: str) -> str:
        """The id of the batch of an archive that is sent in one piece."""
        answer = await self.add(await self.begin(len(data), **said), 0, data)
        assert answer.status_code == 204, answer.text
        assert answer.headers["upload-batch-location"].endswith(answer.headers["upload-batch"])
        return str(answer.headers["upload-batch"])

    async def outcome(self, batch_id: str) -> dict[str, Any]:
        answer = await self.http.get(f"/ingestion/v1/batches/{batch_id}")
        assert answer.status_code == 200, answer.text
        said: dict[str, Any] = answer.json()
        return said

    async def worked(self, batch_id: str) -> dict[str, Any]:
        """What became of a batch once every archive is worked through, as the service does by itself."""
        while await self.queue.work_once():
            continue
        return await self.outcome(batch_id)

    async def texts(self) -> list[str]:
        blobs = self.opened.platform.blobs
        events = await self.opened.published(REPORTS_RECEIVED)
        refs = [BlobRef.from_message(event.payload.text) for event in events]
        return sorted([from_bytes(await blobs.get(ref)).text.reveal() for ref in refs])

    async def count(self, table: Any) -> int:
        async with self.opened.platform.database.read() as session:
            return (await session.execute(select(func.count()).select_from(table))).scalar_one()

    def pieces_stored(self) -> list[str]:
        return [name for name in self.opened.stored(Zone.PHI) if "/upload-" in name]

    @property
    def queue(self) -> UploadQueue:
        queue: UploadQueue = self.opened.service.tasks[-1].__self__  # type: ignore[attr-defined]
        return queue

    @property
    def uploads(self) -> Uploads:
        return self.queue.uploads


async def connect(opened: TestPlatform, role: Role = Role.STEWARD, tenant: str = "default") -> Client:
    headers = {"authorization": f"Bearer {await opened.token(role, tenant=tenant)}"}
    transport = httpx2.ASGITransport(app=opened.app)
    return Client(opened, httpx2.AsyncClient(transport=transport, base_url="http://test", headers=headers))


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    async with open_test_platform("ingestion", tmp_path / "data") as opened:
        yield await connect(opened)


def zipped(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return packed.getvalue()


def notes(count: int) -> dict[str, bytes]:
    return {f"{number}.txt": f"Note {number} of {NAME}.".encode() for number in range(count)}


def lines(count: int) -> bytes:
    rows = [json.dumps({"id": f"line-{n}", "text": f"Line {n} of {NAME}."}) for n in range(count)]
    return ("\n".join(rows) + "\n").encode()


def assert_problem(answer: httpx2.Response, status: int, code: str, field: str | None) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["tus-resumable"] == "1.0.0"
    problem = answer.json()
    assert (problem["code"], problem.get("field"), problem["status"]) == (code, field, status)
    assert problem["mend"]
    assert "Katzenbach" not in answer.text


def of_rows(outcome: dict[str, Any]) -> tuple[int, ...]:
    return tuple(outcome[name] for name in ("rows", "accepted", "already_there", "refused", "reports"))


async def test_what_is_offered_is_said(client: Client) -> None:
    answer = await client.http.options(PATH)
    assert answer.status_code == 204
    assert answer.headers["tus-version"] == "1.0.0"
    assert answer.headers["tus-max-size"] == str(2 * 2**30)
    assert answer.headers["tus-extension"] == "creation,expiration,checksum,termination"
    assert "sha1" in answer.headers["tus-checksum-algorithm"].split(",")


async def test_an_archive_goes_up_in_pieces_and_into_a_batch(client: Client) -> None:
    data = zipped(notes(5))
    path = await client.begin(len(data), filetype="application/zip", source="ris", filename="Katzenbach.zip")
    cut = len(data) // 3
    first = await client.add(path, 0, data[:cut])
    assert (first.status_code, first.headers["upload-offset"]) == (204, str(cut))
    assert "upload-expires" in first.headers
    asked = await client.ask("HEAD", path)
    assert (asked.headers["upload-offset"], asked.headers["upload-length"]) == (str(cut), str(len(data)))
    assert asked.headers["cache-control"] == "no-store"
    assert base64.b64encode(b"Katzenbach.zip").decode() in asked.headers["upload-metadata"]
    assert "upload-batch" not in asked.headers
    shown = (await client.http.get(path)).json()
    assert (shown["state"], shown["offset"], shown["batch_id"]) == ("open", cut, None)

    last = await client.add(path, cut, data[cut:])
    batch_id = last.headers["upload-batch"]
    assert (await client.ask("HEAD", path)).headers["upload-batch"] == batch_id
    before = await client.outcome(batch_id)
    assert (of_rows(before), before["received_at"], before["finished"]) == ((0, 0, 0, 0, 0), None, False)
    shown = await client.worked(batch_id)
    assert (of_rows(shown), shown["states"]["pending"]) == ((5, 5, 0, 0, 5), 5)
    assert shown["received_at"] is not None
    assert await client.texts() == sorted(data.decode() for data in notes(5).values())
    reports = (await client.http.get("/ingestion/v1/reports")).json()["reports"]
    assert {(report["external_id"], report["source"]) for report in reports} == {
        (f"{number}.txt", "ris") for number in range(5)
    }
    shown = (await client.http.get(path)).json()
    assert (shown["state"], shown["batch_id"]) == ("finished", batch_id)
    assert not client.pieces_stored()
    assert await client.count(PIECES) == 0


async def test_lines_are_worked_through_too(client: Client) -> None:
    body = b"\n" + lines(3) + b"nonsense\n\n" + json.dumps({"id": "last", "text": "Last."}).encode()
    shown = await client.worked(await client.upload(body, filetype="application/x-ndjson"))
    assert of_rows(shown) == (5, 4, 0, 1, 4)
    assert [row["row"] for row in shown["rejected"]] == [5]
    assert "Katzenbach" not in json.dumps(shown)
    shown = await client.worked(await client.upload(body))  # told by its first bytes; there already
    assert of_rows(shown) == (5, 0, 4, 1, 4)


async def test_what_is_larger_than_a_piece_is_sealed_piece_by_piece(client: Client) -> None:
    noise = {f"noise-{n}.txt": base64.b64encode(os.urandom(90_000)) for n in range(60)}
    data = zipped(notes(3) | noise, zipfile.ZIP_STORED)
    assert len(data) > 1.5 * PIECE_BYTES
    path = await client.begin(len(data))
    answer = await client.add(path, 0, data)
    assert answer.status_code == 204
    assert len(client.pieces_stored()) == await client.count(PIECES) == 2
    shown = await client.worked(answer.headers["upload-batch"])
    assert of_rows(shown) == (63, 63, 0, 0, 63)


async def test_nothing_of_an_upload_can_be_read_on_the_disk(
    client: Client, disks: Callable[[], Iterator[Path]]
) -> None:
    data = zipped({f"{NAME}.txt": f"Note of {NAME}.".encode()}, zipfile.ZIP_STORED)
    path = await client.begin(len(data), filename=f"{NAME}.zip")
    half = await client.add(path, 0, data[:-1])
    assert half.status_code == 204
    searched = 0

    def search() -> None:
        nonlocal searched
        for file in disks():
            try:
                found = file.read_bytes()
            except FileNotFoundError:  # a server tidies up meanwhile
                continue
            searched += len(found)
            for secret in (b"Katzenbach", base64.b64encode(f"{NAME}.zip".encode())):
                assert secret not in found, file

    search()
    last = await client.add(path, len(data) - 1, data[-1:])
    assert of_rows(await client.worked(last.headers["upload-batch"])) == (1, 1, 0, 0, 1)
    search()
    assert searched > 1_000


@pytest.mark.parametrize(
    ("headers", "status", "code", "field"),
    [
        ({"tus_resumable": "0.2.2"}, 412, "upload.wrong-version", "Tus-Resumable"),
        ({"upload_length": "many"}, 400, "upload.bad-header", "Upload-Length"),
        ({"upload_length": -1}, 400, "upload.bad-header", "Upload-Length"),
        ({"upload_length": 0}, 400, "upload.bad-header", "Upload-Length"),
        ({"upload_length": 2 * 2**30 + 1}, 413, "upload.too-large", "Upload-Length"),
        ({"upload_metadata": "filetype"}, 415, "report.unsupported-type", "Upload-Metadata"),
        ({"upload_metadata": "filetype dGV4dC9jc3Y="}, 415, "report.unsupported-type", "Upload-Metadata"),
        ({"upload_metadata": "filetype not base64"}, 400, "upload.bad-header", "Upload-Metadata"),
        ({"upload_metadata": "a YQ==,a YQ=="}, 400, "upload.bad-header", "Upload-Metadata"),
        ({"upload_metadata": "source YSBi"}, 422, "report.bad-field", "source"),
    ],
    ids=range(10),
)
async def test_an_upload_that_cannot_be_begun_says_why(
    client: Client, headers: dict[str, Any], status: int, code: str, field: str
) -> None:
    if headers.get("upload_metadata") == "filetype":  # without a value it says nothing
        status, code, field = 201, "", ""
    answer = await client.ask("POST", **({"upload_length": 10} | headers))
    if status == 201:
        assert answer.status_code == 201
        return
    assert_problem(answer, status, code, field)
    if status == 412:
        assert answer.headers["tus-version"] == "1.0.0"
    assert await client.count(UPLOADS) == 0


async def test_bytes_that_do_not_fit_are_refused_and_change_nothing(client: Client) -> None:
    data = zipped(notes(1))
    path = await client.begin(len(data))
    assert (await client.add(path, 0, data[:10])).status_code == 204
    wrong = await client.add(path, 5, data[5:])
    assert_problem(wrong, 409, "upload.wrong-offset", "Upload-Offset")
    assert wrong.headers["upload-offset"] == "10"
    assert_problem(await client.add(path, 10, data[10:] + b"x"), 413, "upload.too-large", "body")
    media = await client.add(path, 10, data[10:], content_type="application/zip")
    assert_problem(media, 415, "report.unsupported-type", "Content-Type")
    offset = await client.add(path, "x", data[10:])  # type: ignore[arg-type]
    assert_problem(offset, 400, "upload.bad-header", "Upload-Offset")
    version = await client.add(path, 10, data[10:], tus_resumable="2")
    assert_problem(version, 412, "upload.wrong-version", "Tus-Resumable")
    assert (await client.ask("HEAD", path)).headers["upload-offset"] == "10"
    whole = await client.add(path, 10, data[10:])
    assert whole.status_code == 204
    again = await client.add(path, len(data), b"")
    assert_problem(again, 409, "upload.wrong-offset", "Upload-Offset")


async def test_of_two_that_add_at_once_one_does(client: Client) -> None:
    data = zipped(notes(2))
    path = await client.begin(len(data))
    answers = await asyncio.gather(*(client.add(path, 0, data) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [204, 409, 409, 409]
    (batch_id,) = {a.headers["upload-batch"] for a in answers if a.status_code == 204}
    assert len(client.pieces_stored()) == 1  # what the others wrote is gone
    assert of_rows(await client.worked(batch_id)) == (2, 2, 0, 0, 2)


@pytest.mark.parametrize("algorithm", ["sha1", "sha256", "sha512"])
async def test_bytes_are_checked_against_their_checksum(client: Client, algorithm: str) -> None:
    data = zipped(notes(1))
    path = await client.begin(len(data))

    def checksum(of: bytes) -> str:
        return f"{algorithm} {base64.b64encode(hashlib.new(algorithm, of).digest()).decode()}"

    wrong = await client.add(path, 0, data, upload_checksum=checksum(data[1:]))
    assert_problem(wrong, 460, "upload.checksum-mismatch", "Upload-Checksum")
    assert not client.pieces_stored()
    assert (await client.ask("HEAD", path)).headers["upload-offset"] == "0"
    for nonsense in ("md4 YQ==", algorithm, f"{algorithm} ?"):
        refused = await client.add(path, 0, data, upload_checksum=nonsense)
        code = (460, "upload.checksum-mismatch") if nonsense == algorithm else (400, "upload.bad-header")
        assert_problem(refused, *code, "Upload-Checksum")
    assert (await client.add(path, 0, data, upload_checksum=checksum(data))).status_code == 204


async def broken(*parts: bytes) -> AsyncIterator[bytes]:
    """A body whose connection ends before it does."""
    for part in parts:
        yield part
    raise TruncatedReport("cut")


async def test_of_a_body_that_breaks_off_what_came_is_kept(client: Client) -> None:
    data = zipped(notes(4))
    path = await client.begin(len(data))
    upload_id = path.rpartition("/")[2]
    with pytest.raises(TruncatedReport):
        await client.uploads.append(upload_id, 0, len(data), broken(data[:30], data[30:50]), None, STEWARD)
    asked = await client.ask("HEAD", path)
    assert asked.headers["upload-offset"] == "50"
    answer = await client.add(path, 50, data[50:])
    assert of_rows(await client.worked(answer.headers["upload-batch"])) == (4, 4, 0, 0, 4)


async def test_a_request_that_is_killed_loses_only_its_last_piece(client: Client) -> None:
    path = await client.begin(3 * PIECE_BYTES)
    upload_id = path.rpartition("/")[2]
    written = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        yield bytes(PIECE_BYTES + 100)
        written.set()
        await asyncio.Event().wait()

    killed = asyncio.create_task(client.uploads.append(upload_id, 0, None, body(), None, STEWARD))
    await written.wait()
    killed.cancel()
    await asyncio.gather(killed, return_exceptions=True)
    assert (await client.ask("HEAD", path)).headers["upload-offset"] == str(PIECE_BYTES)


async def test_an_upload_can_be_ended_and_is_gone(client: Client) -> None:
    path = await client.begin(100)
    assert (await client.add(path, 0, b"x" * 50)).status_code == 204
    assert len(client.pieces_stored()) == 1
    assert (await client.ask("DELETE", path)).status_code == 204
    assert not client.pieces_stored()
    assert (await client.ask("HEAD", path)).status_code == 404
    assert_problem(await client.add(path, 50, b"x"), 404, "upload.unknown", "upload_id")
    assert_problem(await client.ask("DELETE", path), 404, "upload.unknown", "upload_id")
    # A request that was under way then, and was killed, may have left this.
    upload_id = path.rpartition("/")[2]
    await client.uploads.blobs.put(Zone.PHI, b"x", tenant="default", subject=subject_of(upload_id))
    await age(client, timedelta(days=8))
    await client.queue.clean()
    assert await client.count(UPLOADS) == 0
    assert not client.pieces_stored()


async def test_what_is_worked_through_cannot_be_ended_before(client: Client) -> None:
    data = zipped(notes(1))
    path = await client.begin(len(data))
    batch_id = (await client.add(path, 0, data)).headers["upload-batch"]
    assert_problem(await client.ask("DELETE", path), 409, "upload.in-hand", "upload_id")
    assert of_rows(await client.worked(batch_id)) == (1, 1, 0, 0, 1)
    assert (await client.ask("DELETE", path)).status_code == 204
    assert of_rows(await client.outcome(batch_id)) == (1, 1, 0, 0, 1)


async def age(client: Client, by: timedelta) -> None:
    async with client.opened.platform.database.begin() as transaction:
        await transaction.session.execute(update(UPLOADS).values(expires_at=datetime.now(UTC) - by))


async def test_an_upload_expires_and_its_bytes_go(client: Client) -> None:
    path = await client.begin(100)
    assert (await client.add(path, 0, b"x" * 50)).status_code == 204
    await client.queue.clean()
    assert len(client.pieces_stored()) == 1
    await age(client, timedelta(seconds=1))
    for _ in range(2):  # before it is removed, and after
        assert (await client.ask("HEAD", path)).status_code == 410
        assert_problem(await client.add(path, 50, b"x"), 410, "upload.expired", "upload_id")
        await client.queue.clean()
        assert not client.pieces_stored()
        assert await client.count(PIECES) == 0
    await age(client, timedelta(days=8))
    await client.queue.clean()
    assert (await client.ask("HEAD", path)).status_code == 404


async def test_uploads_belong_to_their_tenant_and_need_the_right_to_ingest(client: Client) -> None:
    path = await client.begin(100)
    stranger = await connect(client.opened, tenant="elsewhere")
    reviewer = await connect(client.opened, Role.REVIEWER)
    for asked, status in ((stranger, 404), (reviewer, 403)):
        assert (await asked.ask("HEAD", path)).status_code == status
        assert (await asked.http.get(path)).status_code == status
        assert (await asked.add(path, 0, b"x")).status_code == status
        assert (await asked.ask("DELETE", path)).status_code == status
    assert (await reviewer.ask("POST", upload_length=1)).status_code == 403
    assert (await client.ask("HEAD", path)).headers["upload-offset"] == "0"


async def test_a_token_has_only_so_many_under_way(client: Client) -> None:
    paths = [await client.begin(100) for _ in range(16)]
    refused = await client.ask("POST", upload_length=1)
    assert_problem(refused, 429, "too-busy", None)
    assert refused.headers["retry-after"] == "60"
    assert (await client.ask("DELETE", paths[0])).status_code == 204
    await client.begin(100)


async def test_methods_can_be_overridden(client: Client) -> None:
    data = zipped(notes(1))
    path = await client.begin(len(data))
    media = {"content_type": "application/offset+octet-stream", "upload_offset": 0}
    added = await client.ask("POST", path, content=data, x_http_method_override="PATCH", **media)
    assert (added.status_code, added.headers["upload-offset"]) == (204, str(len(data)))
    asked = await client.ask("POST", path, x_http_method_override="HEAD")
    assert asked.headers["upload-length"] == str(len(data))
    await client.worked(added.headers["upload-batch"])
    assert (await client.ask("POST", path, x_http_method_override="DELETE")).status_code == 204
    assert (await client.ask("POST", path)).status_code == 400


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (zipped(notes(2))[:-30], "document.unreadable"),
        (b"PK\x05\x06" + bytes(18), "document.empty"),
        (b"\n \n\n", "report.empty"),
        (b"%PDF-1.7 ...", "report.binary"),
    ],
    ids=range(4),
)
async def test_an_archive_that_cannot_be_read_says_so_in_its_batch(
    client: Client, data: bytes, code: str
) -> None:
    shown = await client.worked(await client.upload(data))
    assert (shown["problem"]["code"], shown["finished"], of_rows(shown)) == (code, True, (0, 0, 0, 0, 0))
    assert not client.pieces_stored()


async def test_a_file_that_cannot_be_read_does_not_stop_the_others(client: Client, tmp_path: Path) -> None:
    settings = RuntimeSettings(data_dir=tmp_path / "small", min_free_disk_bytes=0, max_body_bytes=10_000)
    async with open_test_platform("ingestion", tmp_path / "small", settings=settings) as opened:
        small = await connect(opened)
        files = {
            "large.txt": b"x" * 10_001,
            "empty.txt": b" ",
            "../up.txt": b"Up.",
            "good.txt": b"Note.",
            "same.txt": b"Note.",
        }
        shown = await small.worked(await small.upload(zipped(files)))
        assert of_rows(shown) == (5, 2, 0, 3, 2)
        refused = [(row["row"], row["problem"]["code"], row["problem"]["place"]) for row in shown["rejected"]]
        assert refused == [
            (1, "document.too-large", "file 1"),
            (2, "document.empty", "file 2"),
            (3, "document.unsafe", "file 3"),
        ]
        line = json.dumps({"id": "b", "text": "Good."}).encode()
        shown = await small.worked(await small.upload(b'{"text": "' + b"x" * 20_000 + b'"}\n' + line))
        assert (of_rows(shown), shown["rejected"][0]["row"]) == ((2, 1, 0, 1, 1), 1)
        await small.http.aclose()


async def test_a_bomb_is_refused_by_what_it_unpacks_to(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CURBSIDE_INGESTION__MAX_UNPACKED_BYTES", "1000000")
    monkeypatch.setenv("CURBSIDE_INGESTION__MAX_UPLOAD_MEMBERS", "20")
    settings = RuntimeSettings(data_dir=tmp_path / "b", min_free_disk_bytes=0, max_body_bytes=2_000_000)
    async with open_test_platform("ingestion", tmp_path / "b", settings=settings) as opened:
        bounded = await connect(opened)
        bomb = zipped({f"{n}.bin": bytes(1_900_000) for n in range(3)})
        assert len(bomb) * 100 < 3 * 1_900_000
        shown = await bounded.worked(await bounded.upload(bomb))
        assert shown["problem"]["code"] == "document.too-large"
        shown = await bounded.worked(await bounded.upload(zipped(notes(21))))
        assert shown["problem"]["code"] == "document.too-large"
        # Its directory alone would fill the memory: it is not read.
        entries = b"".join(b"PK\x01\x02" + bytes(42) for _ in range(25_000))
        end = b"PK\x05\x06" + bytes(8) + len(entries).to_bytes(4, "little") + bytes(6)
        shown = await bounded.worked(await bounded.upload(b"PK\x03\x04" + bytes(100) + entries + end))
        assert (shown["problem"]["code"], shown["problem"]["detail"]) == (
            "document.too-large",
            "the ZIP holds too many files",
        )
        shown = await bounded.worked(await bounded.upload(lines(21)))
        assert shown["problem"]["code"] == "report.too-many"
        await bounded.http.aclose()


class Interrupted(BaseException):
    """The service was killed here: nothing catches it."""


async def test_work_that_is_killed_goes_on_where_it_was(client: Client) -> None:
    """After the second lot's reports are durable, and before its progress is noted."""
    batch_id = await client.upload(zipped(notes(250)))
    lots = 0

    async def killed(rows: Sequence[GoodRow], *args: Any) -> list[Accepted | Refused]:
        nonlocal lots
        outcomes = await client.queue.receive(rows, *args)
        lots += 1
        if lots == 2:
            raise Interrupted
        return outcomes

    dying = replace(client.queue, receive=killed, claimant="dying")
    with pytest.raises(Interrupted):
        await dying.work_once()
    shown = await client.outcome(batch_id)
    assert (of_rows(shown), shown["finished"]) == ((100, 100, 0, 0, 100), False)
    assert (await client.http.get("/ingestion/v1/ledger")).json()["received"] == 200
    if client.opened.platform.database.is_postgres:  # it might go on in another pod
        assert not await client.queue.work_once()
        async with client.opened.platform.database.begin() as transaction:
            past = datetime.now(UTC) - timedelta(seconds=1)
            await transaction.session.execute(update(UPLOADS).values(claimed_until=past))
    shown = await client.worked(batch_id)
    assert of_rows(shown) == (250, 150, 100, 0, 250)
    ledger = (await client.http.get("/ingestion/v1/ledger")).json()
    assert (ledger["received"], ledger["whole"]) == (250, True)
    assert not client.pieces_stored()


async def test_lines_that_were_taken_in_are_not_read_again(client: Client) -> None:
    batch_id = await client.upload(lines(250))
    seen: list[int] = []

    async def once_then_killed(rows: Sequence[GoodRow], *args: Any) -> list[Accepted | Refused]:
        if seen:
            raise Interrupted
        seen.extend(row.row for row in rows)
        return await client.queue.receive(rows, *args)

    with pytest.raises(Interrupted):
        await replace(client.queue, receive=once_then_killed).work_once()
    async with client.opened.platform.database.begin() as transaction:
        await transaction.session.execute(update(UPLOADS).values(claimed_until=None))
    shown = await client.worked(batch_id)
    assert seen == [*range(1, 101)]
    assert of_rows(shown) == (250, 250, 0, 0, 250)


@pytest.mark.parametrize("problem", [TooBusy("busy", retry_after=1), StorageFull("full")])
async def test_what_may_pass_is_waited_for_and_no_row_is_lost(
    client: Client, problem: CurbsideError, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("curbside_ingestion.uploads.working._BACK_OFF", timedelta(0))
    batch_id = await client.upload(zipped(notes(5)))
    refusals = 0

    async def busy_at_first(rows: Sequence[GoodRow], *args: Any) -> list[Accepted | Refused]:
        nonlocal refusals
        if refusals < 3:
            refusals += 1
            first = await client.queue.receive(rows[:1], *args)
            return [*first, *(Refused(row.row, problem) for row in rows[1:])]
        return await client.queue.receive(rows, *args)

    await replace(client.queue, receive=busy_at_first).work_once()
    assert of_rows(await client.outcome(batch_id)) == (5, 5, 0, 0, 5)


async def test_an_archive_that_takes_its_service_with_it_is_given_up(client: Client) -> None:
    batch_id = await client.upload(zipped(notes(1)))

    async def ends(*args: Any) -> list[Accepted | Refused]:
        raise ParserEnded("ended from outside")

    failing = replace(client.queue, receive=ends)
    for _ in range(3):
        with pytest.raises(ParserEnded):
            await failing.work_once()
        async with client.opened.platform.database.begin() as transaction:
            await transaction.session.execute(update(UPLOADS).values(claimed_until=None))
    shown = await client.worked(batch_id)
    assert (shown["problem"]["code"], shown["finished"]) == ("document.too-costly", True)


async def test_an_archive_that_nobody_foresaw_is_given_up_and_stops_no_other(client: Client) -> None:
    poison, good = await client.upload(zipped(notes(1))), await client.upload(lines(2))

    async def fails_on_it(rows: Sequence[GoodRow], *args: Any) -> list[Accepted | Refused]:
        if rows[0].submission.text.reveal().startswith("Note"):
            raise ValueError(NAME)
        return await client.queue.receive(rows, *args)

    failing = replace(client.queue, receive=fails_on_it)
    for _ in range(5):
        await failing.work_once()
        async with client.opened.platform.database.begin() as transaction:
            await transaction.session.execute(update(UPLOADS).values(claimed_until=None))
    assert (await client.outcome(poison))["problem"]["code"] == "document.too-costly"
    assert of_rows(await client.outcome(good)) == (2, 2, 0, 0, 2)


class FullStore(BlobStore):
    """A store whose disk is full."""

    def __init__(self, store: BlobStore) -> None:
        vars(self).update(vars(store))

    async def check_space(self) -> None:
        raise StorageFull("only 0 MB are free", mend="Free space.")


async def test_a_full_disk_takes_no_bytes(client: Client) -> None:
    path = await client.begin(100)
    full = replace(client.uploads, blobs=FullStore(client.uploads.blobs))

    async def body() -> AsyncIterator[bytes]:
        yield b"x" * 100

    with pytest.raises(StorageFull):
        await full.append(path.rpartition("/")[2], 0, None, body(), None, STEWARD)
    assert (await client.ask("HEAD", path)).headers["upload-offset"] == "0"


async def test_an_upload_may_be_larger_than_any_other_body(client: Client, tmp_path: Path) -> None:
    settings = RuntimeSettings(data_dir=tmp_path / "s", min_free_disk_bytes=0, max_body_bytes=2_000)
    async with open_test_platform("ingestion", tmp_path / "s", settings=settings) as opened:
        small = await connect(opened)
        data = zipped(notes(30))
        assert len(data) > 2_000
        assert of_rows(await small.worked(await small.upload(data))) == (30, 30, 0, 0, 30)
        answer = await small.http.post("/ingestion/v1/reports:batch", content=data)
        assert answer.status_code == 413
        await small.http.aclose()


async def test_documents_in_an_archive_are_extracted_after(client: Client) -> None:
    markup = b"<html><body><h1>Chest film</h1><p>FINDINGS: No nodule.</p></body></html>"
    shown = await client.worked(await client.upload(zipped({"a.html": markup})))
    assert (shown["states"]["extracting"], shown["finished"]) == (1, False)


@asynccontextmanager
async def served(app: Any) -> AsyncIterator[str]:
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, timeout_graceful_shutdown=20))
    with closing(listen("127.0.0.1", port, "PORT")) as listener:
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        yield f"http://127.0.0.1:{port}"
        server.should_exit = True
        await serving


async def test_the_command_sends_a_large_archive_in_pieces_and_goes_on_with_it(
    client: Client, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("curbside.runtime.uploading._PIECE", 1_000)
    monkeypatch.setattr("curbside.runtime.uploading._POLL_SECONDS", 0.0)
    folder, memory = tmp_path / "sent", tmp_path / "memory"
    folder.mkdir()
    (folder / "export.zip").write_bytes(zipped(notes(40) | {"empty.txt": b""}))
    (folder / "single.txt").write_text("A note.")
    working = asyncio.create_task(client.queue.run())
    async with served(client.opened.app) as url:
        api = Api(url, client.http.headers["authorization"][7:])
        sent = partial(ingest_paths, api, [folder], limit=None, source="ward", memory=memory, large=500)

        def breaks_off() -> None:
            pieces = 0

            def told(done: int, what: str) -> None:
                nonlocal pieces
                pieces += 1
                if pieces == 3:
                    raise Interrupted

            with pytest.raises(Interrupted):
                send_archive(api, folder / "export.zip", source="ward", memory=memory, told=told)

        await asyncio.to_thread(breaks_off)
        assert [file.stat().st_mode & 0o777 for file in memory.iterdir()] == [0o600]
        assert not await asyncio.to_thread(sent)
        assert "41 acknowledged, 0 already there, 1 refused" in capsys.readouterr().out
        assert await client.count(UPLOADS) == 1  # it went on with the one that was begun
        assert not [*memory.iterdir()]
        assert not await asyncio.to_thread(sent)
        assert "0 acknowledged, 41 already there, 1 refused" in capsys.readouterr().out
        # One that has expired meanwhile is begun anew.
        (folder / "export.zip").write_bytes(zipped({f"new-{n}.txt": b"New %d" % n for n in range(40)}))
        await asyncio.to_thread(breaks_off)
        await age(client, timedelta(seconds=1))
        assert await asyncio.to_thread(sent)
        assert "40 acknowledged, 1 already there, 0 refused" in capsys.readouterr().out
        api.close()
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)


async def test_the_tables_of_an_archive_are_read_by_the_columns_that_were_given(client: Client) -> None:
    table = f"Befund;Nr;Wer\nNo nodule.;1;{NAME}\nClear.;2;{NAME}\n".encode()
    packed = zipped({"a.txt": table, "b.txt": b"A text, no table.", "c.csv": b"id,text\n7,Other.\n"})
    columns = '{"text": "Befund", "external_id": "Nr", "known.names": "Wer"}'
    outcome = await client.worked(await client.upload(packed, source="ris", columns=columns))
    assert of_rows(outcome) == (4, 3, 0, 1, 3)
    (refused,) = outcome["rejected"]
    assert refused["problem"]["code"] == "report.bad-columns"
    assert refused["problem"]["place"] == "file 3", "c.csv has no such columns"
    assert await client.texts() == ["A text, no table.", "Clear.", "No nodule."]
    wrong = {"upload_metadata": f"columns {base64.b64encode(b'{').decode()}"}
    answer = await client.ask("POST", upload_length=5, **wrong)
    assert_problem(answer, 422, "report.bad-columns", "columns")


async def test_the_command_reads_tables_of_any_name_and_prints_their_columns(
    client: Client, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "sent"
    folder.mkdir()
    for number in (1, 2):
        (folder / f"{number}.tsv").write_text(f"Nr\tWer\tBefund [neu]\n{number}\tRoe\tNote {number}.\n")
    (folder / "export.dat").write_text("id;text\n7;Seven.\n8;Eight.\n")
    (folder / "letter.csv").write_text("Note, text\nof a letter, which is no table.\n")
    (folder / "old.zip").write_bytes(zipped({"x": "Nr;Befund neu;Wer\n9;Müller.;Roe\n".encode("cp1252")}))
    async with served(client.opened.app) as url:
        api = Api(url, client.http.headers["authorization"][7:])
        columns = ["text=Befund neu", "external_id=1", "known.names=Wer"]
        sent = partial(
            ingest_paths, api, [folder], limit=None, source="ward", memory=tmp_path, columns=columns
        )
        assert not await asyncio.to_thread(sent), "two files have no such columns"
        printed = " ".join(capsys.readouterr().out.split())
        assert "3 acknowledged, 0 already there, 2 refused" in printed
        assert "1.tsv and 1 more with the same columns" in printed
        assert "Befund [neu] │ as given" in printed
        assert "old.zip, file 1" in printed
        assert not await asyncio.to_thread(sent)
        assert "0 acknowledged, 3 already there, 2 refused" in capsys.readouterr().out
        alone = partial(ingest_paths, api, [folder / "export.dat"], limit=None, source="ward")
        assert await asyncio.to_thread(alone)
        printed = " ".join(capsys.readouterr().out.split())
        assert "2 acknowledged" in printed
        assert "│ text │ text │ by name │" in printed
    assert await client.texts() == ["Eight.", "Müller.", "Note 1.", "Note 2.", "Seven."]
