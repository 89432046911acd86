"""Where Tesseract is missing scans wait, other documents do not, and it is said what is missing."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import shutil
import subprocess
import sys
from base64 import b64encode
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import httpx2
import pytest
from PIL import Image, ImageDraw, ImageFont

from curbside.contracts.topics import REPORTS_RECEIVED
from curbside.identity.principal import Role
from curbside.settings import child_environment
from curbside.storage.blobs import BlobRef
from curbside.testing.intake import papers
from curbside.testing.platform import TestPlatform, open_test_platform
from curbside_ingestion.extraction.found import MissingTesseract
from curbside_ingestion.waiting.queue import ExtractionQueue

TESSERACT = shutil.which("tesseract")
pytestmark = [
    pytest.mark.usefixtures("halves"),
    pytest.mark.skipif(TESSERACT is None, reason="Tesseract is missing: apt-get install tesseract-ocr"),
]


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where Tesseract is looked for: an empty directory."""
    place = tmp_path / "programs"
    place.mkdir()
    monkeypatch.setenv("CURBSIDE_INGESTION__OCR_PATH", str(place))
    return place


@pytest.fixture
async def opened(tmp_path: Path, programs: Path) -> AsyncIterator[TestPlatform]:
    async with open_test_platform("ingestion", tmp_path / "installation") as opened:
        yield opened


@pytest.fixture
async def http(opened: TestPlatform) -> AsyncIterator[httpx2.AsyncClient]:
    headers = await opened.headers(Role.ADMINISTRATOR)
    transport = httpx2.ASGITransport(app=opened.app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://test", headers=headers) as client:
        yield client


def scan() -> bytes:
    page = Image.new("L", (1_200, 300), 255)
    font = ImageFont.load_default(48)
    ImageDraw.Draw(page).text((60, 100), "FINDINGS: Lungs are clear.", fill=0, font=font)
    saved = io.BytesIO()
    page.save(saved, "PNG", dpi=(300, 300))
    return saved.getvalue()


def queue_of(opened: TestPlatform) -> ExtractionQueue:
    queue: ExtractionQueue = opened.service.tasks[0].__self__  # type: ignore[attr-defined]
    # Without waiting between two tries.
    return replace(queue, again=timedelta(seconds=-1))


async def texts(opened: TestPlatform) -> list[bytes]:
    events = await opened.published(REPORTS_RECEIVED)
    return [await opened.platform.blobs.get(BlobRef.from_message(event.payload.text)) for event in events]


async def test_scans_wait_until_it_is_there_and_others_go_on(
    opened: TestPlatform, http: httpx2.AsyncClient, programs: Path
) -> None:
    scans = [
        await http.post(
            "/ingestion/v1/reports", files={"file": ("scan", scan())}, data={"patient_id": f"p-{number}"}
        )
        for number in range(3)
    ]
    page = await http.post(
        "/ingestion/v1/reports", content=papers.html("No nodule."), headers={"content-type": "text/html"}
    )
    assert {answer.status_code for answer in (*scans, page)} == {202}
    queue = queue_of(opened)
    for _ in range(8):
        with contextlib.suppress(MissingTesseract):
            await queue.extract_some()
    with pytest.raises(MissingTesseract, match="not installed"):
        await queue.extract_some()
    assert len(await texts(opened)) == 1, "the page of HTML"
    for answer in scans:
        shown = await http.get(f"/ingestion/v1/reports/{answer.json()['report_id']}")
        assert shown.json()["state"] == "pending"
    assert TESSERACT is not None
    (programs / "tesseract").symlink_to(TESSERACT)
    while await queue.extract_some():
        continue
    found = await texts(opened)
    assert len(found) == 4
    assert sum(b"Lungs are clear" in text for text in found) == 3


async def test_a_scan_in_what_is_read_before_its_acknowledgement_is_to_be_sent_again(
    http: httpx2.AsyncClient, programs: Path
) -> None:
    resource = papers.fhir_report("r1", "4711", "See the scan.")
    resource["presentedForm"] = [{"contentType": "image/png", "data": b64encode(scan()).decode()}]
    headers = {"content-type": "application/fhir+json"}
    body = json.dumps(resource)
    answer = await http.post("/ingestion/fhir/DiagnosticReport", content=body, headers=headers)
    assert answer.status_code == 503, answer.text
    assert answer.json()["issue"][0]["details"]["text"] == "operator.missing-tesseract"
    assert TESSERACT is not None
    (programs / "tesseract").symlink_to(TESSERACT)
    answer = await http.post("/ingestion/fhir/DiagnosticReport", content=body, headers=headers)
    assert answer.status_code == 202, answer.text


async def test_the_doctor_says_so(programs: Path, tmp_path: Path, halves: str) -> None:
    if halves == "outside":
        pytest.skip("it is a program of this machine")

    def doctor() -> str:
        command = [sys.executable, "-m", "curbside", "doctor", "--data", str(tmp_path / "none")]
        environment = child_environment(COLUMNS="250")
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        (line,) = [line for line in done.stdout.splitlines() if "Tesseract" in line]
        return line

    said = await asyncio.to_thread(doctor)
    assert "missing" in said
    assert "apt-get install tesseract-ocr" in said
    assert TESSERACT is not None
    (programs / "tesseract").symlink_to(TESSERACT)
    assert "installed" in await asyncio.to_thread(doctor)
