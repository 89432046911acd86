"""Documents of every kind over HTTP: what is answered, what becomes of them, and that nothing is lost."""

from __future__ import annotations

import asyncio
import io
import json
import zipfile
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from curbside.contracts.codec import from_bytes
from curbside.contracts.topics import REPORTS_DISPLACED, REPORTS_RECEIVED
from curbside.errors import StorageFull
from curbside.identity.principal import Role
from curbside.settings import BadSetting
from curbside.storage.blobs import BlobRef, BlobStore
from curbside.testing.platform import TestPlatform, open_test_platform
from curbside_ingestion.extraction.found import Extraction, Kind
from curbside_ingestion.extraction.pool import ParserEnded
from curbside_ingestion.waiting.queue import ExtractionQueue

HL7 = (
    "MSH|^~\\&|RIS|NORTH|CURBSIDE||20260301140500+0100||ORU^R01^ORU_R01|77|P|2.5.1\r"
    "PID|1||4711^^^NORTH^MR||Doe^Jane^^^^^L||19600102|F\r"
    "OBR|1||A100|18748-4^Chest film^LN|||20260301140500+0100|||||||||||||||20260301||RAD|{status}\r"
    "OBX|1|TX|18748-4^Chest film^LN||FINDINGS: Lungs are clear.||||||F\r"
    "OBX|2|TX|18748-4^Chest film^LN||IMPRESSION: {text}||||||F\r"
)
REPORT = {
    "resourceType": "DiagnosticReport",
    "id": "r1",
    "status": "final",
    "code": {"text": "Chest film"},
    "subject": {"reference": "Patient/4711"},
    "conclusion": "No pneumonia in the chest film.",
}
MARKUP = b"<html><body><h1>Chest film</h1><p>FINDINGS: No nodule.</p></body></html>"


@dataclass
class Client:
    http: httpx2.AsyncClient
    opened: TestPlatform

    async def post(self, path: str, content: bytes | str, media: str, **more: Any) -> httpx2.Response:
        headers = {"content-type": media}
        return await self.http.post(f"/ingestion/{path}", content=content, headers=headers, **more)

    async def report(self, report_id: str) -> dict[str, Any]:
        answer = await self.http.get(f"/ingestion/v1/reports/{report_id}")
        assert answer.status_code == 200, answer.text
        shown: dict[str, Any] = answer.json()
        return shown

    async def texts(self) -> list[str]:
        events = await self.opened.published(REPORTS_RECEIVED)
        documents = [
            from_bytes(await self.opened.platform.blobs.get(BlobRef.from_message(event.payload.text)))
            for event in events
        ]
        return [document.text.reveal() for document in documents]

    async def extract(self) -> None:
        """Take what waits out of the queue, as the service does by itself."""
        while await self.queue.extract_some():
            continue

    @property
    def queue(self) -> ExtractionQueue:
        queue: ExtractionQueue = self.opened.service.tasks[0].__self__  # type: ignore[attr-defined]
        return queue


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    async with open_test_platform("ingestion", tmp_path) as opened:
        headers = await opened.headers(Role.STEWARD)
        transport = httpx2.ASGITransport(app=opened.app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://test", headers=headers) as http:
            yield Client(http, opened)


def zip_of(*, method: int = zipfile.ZIP_DEFLATED, **files: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name.replace("__", "/"), data)
    return packed.getvalue()


async def test_a_document_is_acknowledged_and_its_text_comes_after(client: Client) -> None:
    form = {
        "external_id": "h1",
        "patient_id": "4711",
        "known": '{"names": ["Jane Doe"]}',
        "type": "radiology",
    }
    answer = await client.http.post(
        "/ingestion/v1/reports", files={"file": ("Doe.html", MARKUP, "application/pdf")}, data=form
    )
    assert answer.status_code == 202, answer.text
    assert answer.json()["state"] == "pending"
    assert await client.texts() == []
    await client.extract()
    (text,) = await client.texts()
    assert "FINDINGS: No nodule." in text
    (event,) = await client.opened.published(REPORTS_RECEIVED)
    document = from_bytes(await client.opened.platform.blobs.get(BlobRef.from_message(event.payload.text)))
    assert [name.reveal() for name in document.known.names] == ["Jane Doe"]
    assert event.payload.report_type == "radiology"
    again = await client.post("v1/reports", MARKUP, "text/html")
    assert again.status_code == 202, "without its ids it is another report"
    same = await client.post("v1/reports", MARKUP, "text/html")
    assert same.status_code == 409


async def test_a_document_without_text_is_rejected_with_its_reason(client: Client) -> None:
    answer = await client.post("v1/reports", b"<html><body> </body></html>", "text/html")
    assert answer.status_code == 202
    await client.extract()
    shown = await client.report(answer.json()["report_id"])
    assert (shown["state"], shown["reason"]) == ("rejected", "document.empty")
    assert await client.texts() == []
    assert (await client.http.get("/ingestion/v1/ledger")).json()["whole"]


async def test_a_document_amended_before_its_text_came_never_goes_on(client: Client) -> None:
    for status, word in (("final", b"first"), ("amended", b"second")):
        form = {"external_id": "h1", "status": status}
        files = {"file": ("a.html", MARKUP.replace(b"No nodule", word), "text/html")}
        answer = await client.http.post("/ingestion/v1/reports", files=files, data=form)
        assert answer.status_code == 202, answer.text
    await client.extract()
    (text,) = await client.texts()
    assert "second" in text


async def test_an_hl7_message_is_answered_when_its_reports_are_durable(client: Client) -> None:
    answer = await client.post("hl7", HL7.format(status="F", text="No nodule."), "application/hl7-v2")
    assert answer.status_code == 200, answer.text
    assert "\rMSA|AA|77" in answer.text
    assert ["No nodule." in text for text in await client.texts()] == [True]
    again = await client.post("hl7", HL7.format(status="F", text="No nodule."), "application/hl7-v2")
    assert "\rMSA|AA|77" in again.text, "sending it again is no mistake"
    changed = await client.post("hl7", HL7.format(status="F", text="A nodule."), "application/hl7-v2")
    assert changed.status_code == 409
    assert "\rMSA|AE|77" in changed.text
    assert "nodule" not in changed.text
    corrected = await client.post("hl7", HL7.format(status="C", text="A nodule."), "application/hl7-v2")
    assert "\rMSA|AA|77" in corrected.text
    assert len(await client.opened.published(REPORTS_DISPLACED)) == 1
    adt = HL7.format(status="F", text="x").replace("ORU^R01^ORU_R01", "ADT^A08^ADT_A01")
    refused = await client.post("hl7", adt, "application/hl7-v2")
    assert "\rMSA|AR|77" in refused.text
    assert (await client.post("hl7", "no message", "application/hl7-v2")).status_code == 422


async def test_fhir_reports_come_alone_and_in_bundles(client: Client) -> None:
    answer = await client.post("fhir/DiagnosticReport", json.dumps(REPORT), "application/fhir+json")
    assert answer.status_code == 202, answer.text
    report_id = answer.headers["location"].rpartition("/")[2]
    assert (await client.report(report_id))["source"] == "fhir"
    other = REPORT | {"id": "r2", "conclusion": "A small effusion."}
    broken = REPORT | {"id": "r3", "presentedForm": [{"data": {"a": 1}}]}

    def bundle(kind: str) -> str:
        request = {"method": "POST", "url": "DiagnosticReport"}
        entries = [{"resource": one, "request": request} for one in (REPORT, other, broken)]
        return json.dumps({"resourceType": "Bundle", "type": kind, "entry": entries})

    whole = await client.post("fhir", bundle("transaction"), "application/fhir+json")
    assert whole.status_code == 422
    assert whole.json()["resourceType"] == "OperationOutcome"
    assert len(await client.texts()) == 1, "of a transaction nothing is taken in where one is refused"
    batch = await client.post("fhir", bundle("batch"), "application/fhir+json")
    assert batch.status_code == 200
    statuses = [entry["response"]["status"][:3] for entry in batch.json()["entry"]]
    assert sorted(statuses) == ["200", "202", "422"]
    assert len(await client.texts()) == 2


async def test_a_retraction_withdraws_what_came_before(client: Client) -> None:
    await client.post("fhir/DiagnosticReport", json.dumps(REPORT), "application/fhir+json")
    gone = REPORT | {"status": "entered-in-error"}
    answer = await client.post("fhir/DiagnosticReport", json.dumps(gone), "application/fhir+json")
    assert answer.status_code == 202, answer.text
    (displaced,) = await client.opened.published(REPORTS_DISPLACED)
    assert displaced.payload.state == "withdrawn"


async def test_what_must_never_train_says_so_downstream(client: Client) -> None:
    label = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "42CFRPart2"}
    report = REPORT | {"meta": {"security": [label]}}
    answer = await client.post("fhir/DiagnosticReport", json.dumps(report), "application/fhir+json")
    assert answer.status_code == 202, answer.text
    (event,) = await client.opened.published(REPORTS_RECEIVED)
    assert [*event.payload.exclusions] == ["42cfr2"]


async def test_what_a_sender_says_of_a_message_is_added_to_what_it_says_itself(client: Client) -> None:
    form = {"exclusions": "psychotherapy", "known": '{"names": ["Janey Doe-Roe"]}', "external_id": "mine"}
    files = {"file": ("a.hl7", HL7.format(status="F", text="Clear."))}
    answer = await client.http.post("/ingestion/v1/reports", files=files, data=form)
    assert answer.status_code == 202, answer.text
    (event,) = await client.opened.published(REPORTS_RECEIVED)
    assert [*event.payload.exclusions] == ["psychotherapy"]
    document = from_bytes(await client.opened.platform.blobs.get(BlobRef.from_message(event.payload.text)))
    names = [name.reveal() for name in document.known.names]
    assert "Janey Doe-Roe" in names
    assert "Jane Doe" in names
    shown = await client.report(answer.json()["report_id"])
    assert shown["external_id"] == "A100-18748-4", "the message's own counts more"


async def test_the_files_of_a_zip_are_judged_one_by_one(client: Client) -> None:
    packed = zip_of(
        a__note_txt=b"FINDINGS: No nodule.",
        b_html=MARKUP,
        c_hl7=HL7.format(status="F", text="Clear.").encode(),
        d_bin=b"\x7fELF\x00\x01\x02",
    )
    answer = await client.post("v1/reports:batch", packed, "application/zip", params={"source": "pacs"})
    assert answer.status_code == 202, answer.text
    said = answer.json()
    assert [one["external_id"] for one in said["accepted"]] == ["a/note_txt", "b_html", "A100-18748-4"]
    (refused,) = said["rejected"]
    assert (refused["problem"]["code"], refused["problem"]["place"]) == ("document.unsupported", "file 4")
    await client.extract()
    assert len(await client.texts()) == 3


async def test_the_files_of_a_form_are_judged_one_by_one(client: Client) -> None:
    files = [("file", ("a.txt", b"FINDINGS: No nodule.")), ("file", ("b.pdf", b"%PDF-1.7 broken"))]
    answer = await client.http.post("/ingestion/v1/reports:batch", files=files)
    assert answer.status_code == 202, answer.text
    await client.extract()
    states = [(await client.report(one["report_id"]))["state"] for one in answer.json()["accepted"]]
    assert states == ["pending", "rejected"]


FORM = b'--B\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nNo nodule.\r\n--B--'


def hostile_zip(name: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo(name), b"FINDINGS: No nodule.")
    return packed.getvalue()


@pytest.mark.parametrize(
    ("content", "media", "code"),
    [
        (hostile_zip("../../etc/cron.d/x"), "application/zip", "document.unsafe"),
        (hostile_zip("/etc/passwd"), "application/zip", "document.unsafe"),
        (hostile_zip("C:\\x"), "application/zip", "document.unsafe"),
        (hostile_zip(""), "application/zip", "document.unsafe"),
        (hostile_zip("."), "application/zip", "document.unsafe"),
        (zip_of(method=zipfile.ZIP_LZMA, a=b"a" * 90), "application/zip", "document.unreadable"),
        (zip_of(method=zipfile.ZIP_BZIP2, a=b"a" * 90), "application/zip", "document.unreadable"),
        (FORM, "multipart/form-data; boundary=B; charset=undefined", "report.shape"),
        (FORM[:-2] + b"\r\n" + FORM[5:-2], "multipart/form-data; boundary=B", "report.truncated"),
        (hostile_zip("a")[:-30], "application/zip", "document.unreadable"),
        (zip_of(a=zip_of(b=b"x")), "application/zip", "document.unsupported"),
        (zip_of(), "application/zip", "document.empty"),
        (b"not a zip", "application/zip", "document.unreadable"),
        (b"MSH|^~\\&|x", "application/hl7-v2", None),
        (b"F\x00I\x00N\x00D\x00", "audio/wav", "report.unsupported-type"),
        (b'<?xml version="1.0"?><!DOCTYPE a SYSTEM "http://x/y"><a/>', "text/xml", "document.unsupported"),
    ],
)
async def test_hostile_bodies_are_named_problems(
    content: bytes, media: str, code: str | None, client: Client
) -> None:
    answer = await client.post("v1/reports:batch", content, media)
    assert 400 <= answer.status_code < 500, answer.text
    assert code is None or answer.json()["code"] == code


async def test_a_form_is_checked_against_its_digest(client: Client) -> None:
    headers = {"content-type": "multipart/form-data; boundary=B", "content-digest": "sha-256=:AAAA:"}
    answer = await client.http.post("/ingestion/v1/reports", content=FORM, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (422, "report.digest-mismatch")


def damaged(packed: bytes) -> bytes:
    """`packed`, with other checksums than its files have."""
    archive = bytearray(packed)
    start = 0
    while (start := archive.find(b"PK\x01\x02", start)) >= 0:
        archive[start + 16] ^= 0xFF
        start += 4
    return bytes(archive)


@pytest.mark.parametrize("harm", [bytes, damaged])
async def test_a_zip_bomb_stops_where_it_has_unpacked_enough(
    harm: Callable[[bytes], bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CURBSIDE_INGESTION__MAX_UNPACKED_BYTES", "100000")
    async with open_test_platform("ingestion", tmp_path) as opened:
        transport = httpx2.ASGITransport(app=opened.app)
        headers = await opened.headers(Role.STEWARD)
        async with httpx2.AsyncClient(transport=transport, base_url="http://test", headers=headers) as http:
            answer = await Client(http, opened).post(
                "v1/reports:batch", harm(zip_of(a=b"a" * 5_000_000)), "application/zip"
            )
    assert (answer.status_code, answer.json()["code"]) == (422, "document.too-large")


async def test_messages_over_mllp_are_taken_in_and_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CURBSIDE_INGESTION__MLLP_PORT", "0")
    async with open_test_platform("ingestion", tmp_path) as opened:
        listening: Any = opened.service.tasks[1]
        (server,) = listening.args
        await server.start()
        try:
            reader, writer = await asyncio.open_connection(*server.address)
            for word in ("first", "second"):
                message = HL7.format(status="F", text=word).replace("A100", word)
                writer.write(b"\x0b" + message.encode() + b"\x1c\r")
            answers = [await reader.readuntil(b"\x1c\r") for _ in range(2)]
            writer.close()
        finally:
            await server.stop()
        assert [b"MSA|AA|77" in answer for answer in answers] == [True, True]
        (first, second) = await opened.published(REPORTS_RECEIVED)
    assert first.payload.source == second.payload.source == "mllp"


@pytest.mark.parametrize(
    ("name", "value"),
    [("MLLP_HOST", "0.0.0.0"), ("MLLP_CERTIFICATE_FILE", "/nowhere.pem")],
)
async def test_an_mllp_listener_that_anybody_could_reach_is_refused(
    name: str, value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CURBSIDE_INGESTION__MLLP_PORT", "0")
    monkeypatch.setenv(f"CURBSIDE_INGESTION__{name}", value)
    with pytest.raises(BadSetting, match="MLLP"):
        async with open_test_platform("ingestion", tmp_path):
            pass


class Ending:
    async def extract(self, data: bytes, kind: Kind) -> Extraction:
        raise ParserEnded("the document's parser was ended from outside")


@dataclass
class Full:
    blobs: BlobStore

    async def get(self, ref: BlobRef) -> bytes:
        return await self.blobs.get(ref)

    async def put(self, *_: object, **__: object) -> BlobRef:
        raise StorageFull("the disk is full")


@pytest.mark.parametrize(("times", "state"), [(5, "pending"), (6, "rejected")])
async def test_a_document_whose_parser_is_ended_from_outside_has_some_more_attempts(
    times: int, state: str, client: Client
) -> None:
    report_id = (await client.post("v1/reports", MARKUP, "text/html")).json()["report_id"]
    ended: Any = replace(client.queue, extractors=Ending(), lease=timedelta(seconds=-1))  # over at once
    for _ in range(times - 1):
        with pytest.raises(ParserEnded):
            await ended.extract_some()
    assert (await client.report(report_id))["state"] == "pending"
    if times > 5:
        await ended.extract_some()
    await client.extract()
    shown = await client.report(report_id)
    assert shown["state"] == state
    assert len(await client.texts()) == (state == "pending")


async def test_a_document_waits_for_as_long_as_its_text_cannot_be_written(client: Client) -> None:
    await client.post("v1/reports", MARKUP, "text/html")
    full: Any = replace(client.queue, blobs=Full(client.opened.platform.blobs), again=timedelta(seconds=-1))
    for _ in range(5):
        with pytest.raises(StorageFull):
            await full.extract_some()
    await client.extract()
    assert len(await client.texts()) == 1
