"""Tables, JSON and lines over HTTP: told by content however they come, with columns given, found and told."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from curbside.contracts.codec import from_bytes
from curbside.contracts.topics import REPORTS_RECEIVED
from curbside.identity.principal import Role
from curbside.storage.blobs import BlobRef
from curbside.testing.platform import TestPlatform, open_test_platform

pytestmark = pytest.mark.usefixtures("halves")

NAME = "Katzenbach"
ONE, MANY = "/ingestion/v1/reports", "/ingestion/v1/reports:batch"
TABLE = (
    "ACCESSION_NO;MRN;Surname;First Name;NOTE_TEXT;Sex\n"
    f"A-1;M-1;{NAME};Jo;No nodule.;F\nA-2;M-2;Roe;X;Clear.;M\n"
)
LINES = '{"id": "A-1", "mrn": "M-1", "text": "No nodule."}\n{"id": "A-2", "text": "Clear."}\n'
LIST = json.dumps([json.loads(line) for line in LINES.splitlines()], indent=2)
PROSE = (
    "Note, text\nThe patient was seen in the clinic, and is well.\nMRN, text and all else, are elsewhere.\n"
)
COLUMNS = {
    "text": ["NOTE_TEXT"],
    "external_id": ["ACCESSION_NO"],
    "patient_id": ["MRN"],
    "known.names": ["Surname", "First Name"],
}
READ = {"columns": COLUMNS, "by": dict.fromkeys(COLUMNS, "name"), "ignored": ["Sex"]}


@dataclass
class Client:
    http: httpx2.AsyncClient
    opened: TestPlatform

    async def post(self, path: str, content: bytes | str, media: str, **query: str) -> httpx2.Response:
        return await self.http.post(path, content=content, params=query, headers={"content-type": media})

    async def form(self, files: dict[str, bytes | str], path: str = MANY, **fields: str) -> httpx2.Response:
        sent = [("file", (name, data)) for name, data in files.items()]
        return await self.http.post(path, files=sent, data=fields)

    async def received(self) -> list[Any]:
        """The payloads of what was published."""
        return [event.payload for event in await self.opened.published(REPORTS_RECEIVED)]

    async def documents(self) -> list[Any]:
        blobs = self.opened.platform.blobs
        found = [from_bytes(await blobs.get(BlobRef.from_message(one.text))) for one in await self.received()]
        return sorted(found, key=lambda document: document.text.reveal())

    async def texts(self) -> list[str]:
        return [document.text.reveal() for document in await self.documents()]


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    async with open_test_platform("ingestion", tmp_path / "data") as opened:
        headers = await opened.headers(Role.STEWARD)
        transport = httpx2.ASGITransport(app=opened.app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://test", headers=headers) as http:
            yield Client(http, opened)


def zipped(files: dict[str, bytes | str]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return packed.getvalue()


async def sent_every_way(client: Client, content: str) -> AsyncIterator[tuple[str, dict[str, Any]]]:
    """How `content` was sent, and what was answered, each from a source of its own."""
    declared = (
        "text/csv",
        "text/plain",
        "application/json",
        "application/x-ndjson",
        "application/octet-stream",
        "application/pdf",
    )
    for number, media in enumerate(declared):
        answer = await client.post(MANY, content, media, source=f"s{number}")
        assert answer.status_code == 202, answer.text
        yield media, answer.json()
    answer = await client.form({"a.dat": content}, source="form")
    assert answer.status_code == 202, answer.text
    yield "form", answer.json()
    for media in ("application/zip", "application/octet-stream"):
        answer = await client.post(MANY, zipped({"x/a.pdf": content}), media, source=media.partition("/")[2])
        assert answer.status_code == 202, answer.text
        yield "form", answer.json()


@pytest.mark.parametrize("content", [TABLE, LINES, LIST], ids=["table", "lines", "list"])
async def test_each_row_is_a_report_however_it_comes(content: str, client: Client) -> None:
    ways = 0
    async for way, said in sent_every_way(client, content):
        assert [row["external_id"] for row in said["accepted"]] == ["A-1", "A-2"], way
        assert said["rejected"] == []
        place = "file 1" if way == "form" else "body"
        assert said["tables"] == ([{"place": place, **READ}] if content == TABLE else []), way
        ways += 1
    assert await client.texts() == ["Clear."] * ways + ["No nodule."] * ways


async def test_prose_with_commas_stays_one_report(client: Client) -> None:
    for media in ("text/plain", "application/octet-stream"):
        answer = await client.post(MANY, PROSE, media, source=media.partition("/")[2])
        assert answer.status_code == 202, answer.text
        assert (len(answer.json()["accepted"]), answer.json()["tables"]) == (1, [])
    answer = await client.form({"a.csv": PROSE})
    assert [row["external_id"] for row in answer.json()["accepted"]] == ["a.csv"]


async def test_what_a_row_says_of_its_patient_travels_with_it(client: Client) -> None:
    said = {"known": '{"staff": ["Dr. Poe"]}', "type": "radiology", "exclusions": "restricted"}
    answer = await client.form({"a.bin": TABLE}, **said)
    assert answer.status_code == 202, answer.text
    clear, nodule = await client.documents()
    assert [name.reveal() for name in nodule.known.names] == [f"Jo {NAME}", NAME, "Jo"]
    assert [name.reveal() for name in nodule.known.staff] == ["Dr. Poe"]
    assert [name.reveal() for name in clear.known.names] == ["X Roe", "Roe", "X"]
    received = await client.received()
    assert {one.report_type for one in received} == {"radiology"}
    assert [[*one.exclusions] for one in received] == [["restricted"]] * 2
    assert len({one.text.subject for one in received}) == 2, "each patient is a subject"
    original = await client.opened.platform.blobs.get(BlobRef.from_message(received[0].original))
    assert original.decode() in (TABLE.replace(TABLE.splitlines(True)[n], "") for n in (1, 2))


async def test_one_row_may_go_where_one_report_goes_and_several_may_not(client: Client) -> None:
    for media in ("application/octet-stream", "text/plain", "application/json"):
        answer = await client.post(ONE, TABLE, media)
        assert answer.status_code == 422, answer.text
        assert (answer.json()["code"], answer.json()["field"]) == ("report.shape", "body")
        assert answer.json()["detail"] == "the body holds 2 reports"
        assert NAME not in answer.text
    single = "".join(TABLE.splitlines(True)[:2])
    assert (await client.post(ONE, single, "text/plain")).status_code == 202
    assert (await client.post(ONE, LINES, "application/json")).json()["detail"] == "the body holds 2 reports"
    answer = await client.form({"a": "Nr;B\n7;Fine.\n"}, ONE, columns="text=B", external_id="own")
    assert answer.status_code == 202, answer.text
    shown = await client.http.get(f"{ONE}/{answer.json()['report_id']}")
    assert shown.json()["external_id"] == "own"
    answer = await client.post(ONE, "No nodule.", "application/json")
    assert answer.json()["code"] == "report.shape", "declared JSON that is none is no text"


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"%PDF-1.7 broken", "pdf"),
        (b"<html><body>FINDINGS: none</body></html>", "html"),
    ],
)
async def test_a_document_that_is_declared_as_a_table_is_read_as_what_it_is(
    content: bytes, kind: str, client: Client
) -> None:
    for media in ("text/csv", "text/plain", "application/x-ndjson", "application/json"):
        answer = await client.post(MANY, content, media, source=media.partition("/")[2])
        assert answer.status_code == 202, (kind, answer.text)
        assert len(answer.json()["accepted"]) == 1
    assert await client.texts() == []  # it is extracted later


GIVEN = "Befund\tNr\tWer\nNo nodule.\t7\tKatzenbach;Katz\n"
HEADLESS = "7\tKatzenbach;Katz\tNo nodule.\n8\tRoe\tClear.\n"


@pytest.mark.parametrize(
    "columns",
    [
        '{"text": "befund", "external_id": 2, "known.names": ["Wer"]}',
        "text=Befund;external_id=Nr;known.names=3",
    ],
)
async def test_columns_are_given_in_the_query_or_in_the_form(columns: str, client: Client) -> None:
    answers = [
        await client.post(MANY, GIVEN, "text/csv", columns=columns, source="a"),
        await client.post(MANY, GIVEN, "application/octet-stream", columns=columns, source="b"),
        await client.post(MANY, zipped({"a.txt": GIVEN}), "application/zip", columns=columns, source="c"),
        await client.form({"a.txt": GIVEN}, columns=columns, source="d"),
    ]
    for answer in answers:
        assert answer.status_code == 202, answer.text
        said = answer.json()
        assert [row["external_id"] for row in said["accepted"]] == ["7"]
        (table,) = said["tables"]
        assert table["columns"] == {"text": ["Befund"], "external_id": ["Nr"], "known.names": ["Wer"]}
        assert set(table["by"].values()) == {"given"}
    for document in await client.documents():
        assert [name.reveal() for name in document.known.names] == [NAME, "Katz"]


async def test_columns_are_given_by_number_where_there_are_no_headers(client: Client) -> None:
    columns = '{"text": 3, "external_id": 1, "known.names": 2}'
    for media in ("text/csv", "text/plain"):
        answer = await client.post(MANY, HEADLESS, media, columns=columns, source=media.partition("/")[2])
        assert answer.status_code == 202, answer.text
        assert [row["external_id"] for row in answer.json()["accepted"]] == ["7", "8"]
        (table,) = answer.json()["tables"]
        assert table["columns"] == {"text": [3], "external_id": [1], "known.names": [2]}


@pytest.mark.parametrize(
    ("columns", "field"),
    [
        ("{", "columns"),
        ("text", "columns"),
        ('{"pets": "a"}', "columns"),
        ('{"text": "Katzenbach"}', "columns.text"),
        ('{"text": 99}', "columns.text"),
        ('{"text": 1, "external_id": 1}', "columns.text"),
    ],
)
async def test_wrong_columns_are_a_problem_that_names_the_field_and_the_mend(
    columns: str, field: str, client: Client
) -> None:
    table = f"{NAME},text\n{NAME},No nodule.\n{NAME},Clear.\n"
    if "Katz" in columns:
        table = "id,note\n1,No nodule.\n"
    answers = [
        await client.post(MANY, table, "text/csv", columns=columns),
        await client.form({"a.csv": table}, columns=columns),
        await client.form({"a.csv": table}, ONE, columns=columns),
    ]
    for answer in answers:
        assert answer.status_code == 422, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        assert (answer.json()["code"], answer.json()["field"]) == ("report.bad-columns", field)
        assert answer.json()["mend"]
        assert NAME not in answer.text
    assert (await client.http.get("/ingestion/v1/ledger")).json()["received"] == 0


async def test_where_all_rows_are_refused_the_problem_tells_the_columns_and_no_patient(
    client: Client, disks: Callable[[], Iterator[Path]]
) -> None:
    table = f"text,{NAME},mrn\n,a,M-1\n,b,M-2\n"
    answer = await client.post(MANY, table, "text/csv")
    assert answer.status_code == 422, answer.text
    problem = answer.json()
    assert problem["code"] == "report.empty"
    assert problem["tables"] == [
        {
            "place": "body",
            "columns": {"text": ["text"], "patient_id": ["mrn"]},
            "by": {"text": "name", "patient_id": "name"},
            "ignored": [2],
        }
    ]
    assert NAME not in answer.text
    batch = await client.http.get(f"/ingestion/v1/batches/{problem['batch_id']}")
    assert "tables" not in batch.text
    accepted = await client.post(MANY, table + "Clear.,c,M-3\n", "text/csv")
    assert accepted.json()["tables"][0]["ignored"] == [NAME], "the sender's own headers"
    await client.opened.published(REPORTS_RECEIVED)
    for path in disks():
        try:
            data = path.read_bytes()
        except FileNotFoundError:  # a server tidies up meanwhile
            continue
        assert NAME.encode() not in data, path


async def test_a_table_without_a_text_is_refused_beside_good_files(client: Client) -> None:
    files: dict[str, bytes | str] = {
        "a.csv": TABLE,
        "b.csv": "MRN,Text\n1,a,b\n",
        "c.txt": PROSE,
        "d.ndjson": LINES,
        "e.tsv": f"Nr\tBefund\n1\t{NAME}\n2\tclear\n",
    }
    answer = await client.post(MANY, zipped(files), "application/zip")
    assert answer.status_code == 202, answer.text
    said = answer.json()
    assert [row["row"] for row in said["accepted"]] == [1, 2, 4]
    refused = {row["row"]: row["problem"] for row in said["rejected"]}
    assert refused[3]["place"] == "file 2, row 1"
    assert {refused[row]["code"] for row in (5, 6)} == {"report.changed", "report.duplicate"}
    assert (refused[7]["code"], refused[7]["place"]) == ("report.missing-columns", "file 5")
    assert NAME not in answer.text
    assert [table["place"] for table in said["tables"]] == ["file 1", "file 2"]


async def test_what_was_sent_again_is_there_already(client: Client) -> None:
    table = TABLE.replace("ACCESSION_NO", "Nr")
    for media in ("text/csv", "application/octet-stream"):
        first = await client.post(MANY, table, media)
        assert first.status_code == (202 if media == "text/csv" else 409), first.text
    assert (await client.http.get("/ingestion/v1/ledger")).json()["received"] == 2


async def test_a_broken_byte_spoils_its_own_row_and_another_charset_none(client: Client) -> None:
    broken = "id,text\n1,Müller\n2,Köhler\n3,".encode() + b"M\xfcller\n4,fine\n"
    answer = await client.post(MANY, broken, "application/octet-stream", source="a")
    assert answer.status_code == 202, answer.text
    assert [row["row"] for row in answer.json()["rejected"]] == [3]
    latin = "id;text\n1;Müller\n".encode("cp1252")
    assert (await client.post(MANY, latin, "application/octet-stream", source="b")).status_code == 202
    assert (await client.texts()).count("Müller") == 2


async def test_a_table_of_too_many_rows_is_refused_whole(client: Client) -> None:
    table = "id,text\n" + "".join(f"{n},report {n}\n" for n in range(2_001))
    for media in ("text/csv", "application/octet-stream"):
        answer = await client.post(MANY, table, media)
        assert (answer.status_code, answer.json()["code"]) == (413, "report.too-many"), answer.text
