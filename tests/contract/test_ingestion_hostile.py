"""Files that are made to hurt: each is answered by its name, within what a child may take, and nothing of it
is fetched, run, or written anywhere."""

from __future__ import annotations

import asyncio
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from hostile_files import BATCH, HOSTILE, READ, Hostile

from curbside.identity.principal import Role
from curbside.runtime.platform import key_ring, open_tokens
from curbside.settings import RuntimeSettings
from curbside.testing.intake.serving import Served
from curbside.testing.servers.process import free_ports

ROOT = Path(__file__).resolve().parents[2]
CPU = timedelta(seconds=8)
PATIENCE = 5 * CPU.total_seconds()  # the wall time of one document: extraction/pool.py
MLLP_BYTES = 1_000_000
GREW_MB = 100


@dataclass
class Target:
    """A service in a process of its own, and a socket at which nobody may call."""

    http: httpx2.Client
    served: Served
    trap: str
    listener: socket.socket
    mllp_port: int
    place: Path
    outside: set[Path]

    def grows(self) -> Callable[[], float]:
        """By how many MB the memory of the service itself, without its children, grew at most since now."""
        place = Path(f"/proc/{self.served.pid}")
        (place / "clear_refs").write_text("5")  # the peak begins anew: proc(5)
        before = _memory_mb(place, "VmRSS")
        return lambda: _memory_mb(place, "VmHWM") - before

    def called(self) -> bool:
        try:
            self.listener.accept()
        except BlockingIOError:
            return False
        return True

    def files_outside(self) -> set[Path]:
        """Regular files beside the data directory and the log."""
        return {
            path
            for path in self.place.rglob("*")
            if path.is_file() and self.place / "data" not in path.parents and path != self.served.log
        }

    def ended(self, report_id: str) -> dict[str, Any]:
        """The report once its document was read or rejected."""
        waiting = threading.Event()
        deadline = time.monotonic() + PATIENCE * len(HOSTILE)
        while self.waits(report_id):
            assert time.monotonic() < deadline, "the document was neither read nor rejected"
            waiting.wait(0.1)
        shown: dict[str, Any] = self.http.get(f"/ingestion/v1/reports/{report_id}").json()
        return shown

    def waits(self, report_id: str) -> bool:
        with closing(sqlite3.connect(self.place / "data" / "ingestion.db")) as database:
            found = database.execute("SELECT 1 FROM extractions WHERE report_id = ?", (report_id,)).fetchone()
        return found is not None


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    place = tmp_path_factory.mktemp("hostile")
    temporary = place / "temporary"
    temporary.mkdir()
    http, grpc, mllp = free_ports(3)
    settings = RuntimeSettings(data_dir=place / "data", http_port=http, grpc_port=grpc)
    token = asyncio.run(_token(settings))
    served = Served(
        "ingestion",
        {
            "CURBSIDE_RUNTIME__DATA_DIR": str(settings.data),
            "CURBSIDE_RUNTIME__HTTP_PORT": str(http),
            "CURBSIDE_RUNTIME__GRPC_PORT": str(grpc),
            "CURBSIDE_RUNTIME__MIN_FREE_DISK_BYTES": "0",
            "CURBSIDE_INGESTION__EXTRACTION_CPU": f"PT{CPU.seconds}S",
            "CURBSIDE_INGESTION__EXTRACTION_MEMORY_BYTES": "1000000000",
            "CURBSIDE_INGESTION__MLLP_PORT": str(mllp),
            "CURBSIDE_INGESTION__MLLP_MAX_MESSAGE_BYTES": str(MLLP_BYTES),
            "TMPDIR": str(temporary),
            "HOME": str(temporary),
        },
        port=http,
        log=place / "ingestion.log",
    )
    served.start()
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setblocking(False)
    headers = {"authorization": f"Bearer {token}"}
    client = httpx2.Client(
        base_url=settings.http_url, headers=headers, timeout=PATIENCE + CPU.total_seconds(), trust_env=False
    )
    try:
        served.wait_ready()
        trap = f"http://127.0.0.1:{listener.getsockname()[1]}/trap"
        target = Target(client, served, trap, listener, mllp, place, set())
        # What every file needs once: its parsers are loaded, and the server of children runs.
        assert client.post("/ingestion/v1/reports", json={"text": "FINDINGS: Clear."}).status_code == 202
        target.outside = target.files_outside()
        yield target
    finally:
        client.close()
        served.stop()
        listener.close()


def _memory_mb(process: Path, name: str) -> float:
    lines = (process / "status").read_text().splitlines()
    return next(int(line.split()[1]) / 1_000 for line in lines if line.startswith(name))


async def _token(settings: RuntimeSettings) -> str:
    tokens, identity = await asyncio.to_thread(open_tokens, settings, key_ring(settings))
    try:
        return await tokens.issue("hostile", [Role.ADMINISTRATOR], tenant="default", actor="test")
    finally:
        await identity.close()


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_answered_by_name_and_does_nothing_else(name: str, target: Target) -> None:
    file = HOSTILE[name]
    content = file.make(target.trap)
    grew = target.grows()
    answer = target.http.post(
        f"/ingestion/{file.path}", content=content, headers={"content-type": file.media}
    )
    assert _answer(file, answer, target) == file.answer
    assert target.served.runs
    # Some copies of the body, and of what is read of it; never what it would unpack to.
    print(f"{name}: {len(content) / 1e6:.1f} MB, the service grew by {grew():.0f} MB")
    assert grew() < GREW_MB
    assert not target.called(), "something was fetched"
    assert target.files_outside() == target.outside


def _answer(file: Hostile, answer: httpx2.Response, target: Target) -> str:
    assert "Traceback" not in answer.text
    if file.path == "hl7":
        return answer.text.partition("\rMSA|")[2][:2]
    said = answer.json()
    if answer.status_code == 202 and file.path != BATCH:
        shown = target.ended(said["report_id"])
        assert file.later or file.answer == READ
        return READ if shown["state"] == "pending" else str(shown["reason"])
    assert 400 <= answer.status_code < 500, answer.text
    assert not file.later
    if said.get("resourceType") == "OperationOutcome":
        return str(said["issue"][0]["details"]["text"])
    return str(said["code"])


def test_an_mllp_block_that_never_ends_is_refused_at_its_limit(target: Target) -> None:
    grew = target.grows()
    block = b"\x0bMSH|^~\\&|RIS|N|C||20260301||ORU^R01|77|P|2.5.1\rOBX|1|TX|||"
    with socket.create_connection(("127.0.0.1", target.mllp_port), timeout=PATIENCE) as connection:
        connection.sendall(block + b"x" * 2 * MLLP_BYTES)
        said = b""
        while not said.endswith(b"\x1c\r"):
            said += (chunk := connection.recv(65_536))
            assert chunk, "it hung up without a word"
        assert b"\rMSA|AR|77" in said
        with pytest.raises(OSError):  # noqa: PT011 - it hangs up; how the system says so is its own
            while True:
                connection.sendall(b"x" * MLLP_BYTES)
    assert grew() < GREW_MB
    assert target.http.get("/livez").status_code == 200


def test_the_service_still_takes_in_what_is_good(target: Target) -> None:
    answer = target.http.post("/ingestion/v1/reports", json={"text": "FINDINGS: No nodule."})
    assert answer.status_code == 202
    assert target.http.get("/ingestion/v1/ledger").json()["whole"]
    assert "Traceback" not in target.served.log.read_text()


def test_the_table_of_hostile_files_is_that_of_the_documentation() -> None:
    table = (ROOT / "docs" / "formats.md").read_text().partition("## Hostile files")[2]
    written = [line for line in table.splitlines() if line.startswith("| ") and "`" in line]
    assert written == [
        f"| {name.replace('|', chr(92) + '|')} | {_told(file)} |" for name, file in HOSTILE.items()
    ]


def _told(file: Hostile) -> str:
    if file.answer == READ:
        return "`read`: its text, and nothing of it run or fetched"
    return f"`{file.answer}`, as the reason for `rejected`" if file.later else f"`{file.answer}`"
