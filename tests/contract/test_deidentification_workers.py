"""Real worker processes with the real model, behind the pool: what the wire promises, also when one dies."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from curbside.contracts.codec import PhiDocument
from curbside.errors import Unavailable
from curbside.phi import PhiText
from curbside.settings import RuntimeSettings, child_environment
from curbside_deidentification.batch import BadLines, deidentify_file
from curbside_deidentification.pipeline import Reason
from curbside_deidentification.pool import NoWorker, WorkerPool, WorkerTimedOut

pytestmark = pytest.mark.slow

TEXT = (
    "Patient: Zephyrine Quatremer, MRN: 4456781. Seen in Houston on 04/12/2023 by Dr. Osei. "
    "Thandiwe Mokoena called. Lungs are clear; a 4 mm nodule in the right upper lobe is new."
)
SAFE = (
    "Patient: [NAME], MRN: [MRN]. Seen in [LOCATION] on [DATE] by Dr. [NAME]. "
    "[NAME] called. Lungs are clear; a 4 mm nodule in the right upper lobe is new."
)
LINES = 1_000
LONG = (TEXT + "\n") * LINES  # about two seconds of one core


class Worker:
    """A worker started as the supervisor starts one, in a short directory: sun_path holds 108 bytes."""

    def __init__(self, socket: Path) -> None:
        self.socket = socket
        self.log = socket.with_suffix(".log")
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "curbside", "serve", "worker", "--socket", str(socket)],
                env=child_environment(CURBSIDE_RUNTIME__LOG_LEVEL="DEBUG"),
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def end(self, number: int) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(30)


@pytest.fixture(scope="module")
def directory() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="cbs") as name:
        yield Path(name) / "run"


@pytest.fixture(scope="module")
def workers(directory: Path) -> Iterator[list[Worker]]:
    directory.mkdir(mode=0o700)
    started = [Worker(directory / f"worker-{number}.sock") for number in range(2)]
    yield started
    for worker in started:
        worker.end(signal.SIGKILL)


@pytest.fixture
async def pool(workers: list[Worker]) -> AsyncIterator[WorkerPool]:
    pool = WorkerPool([worker.socket for worker in workers], deadline=timedelta(seconds=60))
    await ready(pool, workers)
    yield pool
    await pool.close()


async def ready(pool: WorkerPool, workers: list[Worker]) -> None:
    """Wait until every worker that runs serves."""

    async def all_serve() -> None:
        while True:
            alive = [worker for worker in workers if worker.process.poll() is None]
            one_each = [WorkerPool([worker.socket], deadline=timedelta(seconds=5)) for worker in alive]
            results = await asyncio.gather(*(one.check() for one in one_each), return_exceptions=True)
            await asyncio.gather(*(one.close() for one in one_each))
            if not any(isinstance(result, Exception) for result in results):
                return
            await asyncio.sleep(0.1)

    await asyncio.wait_for(all_serve(), 120)
    await asyncio.wait_for(until_served(pool), 30)


async def until_served(pool: WorkerPool) -> None:
    while True:
        try:
            return await pool.check()
        except NoWorker:
            await asyncio.sleep(0.05)


def document(text: str) -> PhiDocument:
    return PhiDocument(PhiText(text))


async def test_a_worker_finds_what_patterns_and_the_model_find(pool: WorkerPool) -> None:
    result = await pool.deidentify(document(TEXT), tenant="default")
    assert result.replaced.reveal() == SAFE
    assert [TEXT[span.start : span.end] for span in result.spans] == [
        "Zephyrine Quatremer",
        "4456781",
        "Houston",
        "04/12/2023",
        "Osei",
        "Thandiwe Mokoena",
    ]


async def test_the_socket_is_private(pool: WorkerPool, workers: list[Worker]) -> None:
    for worker in workers:
        assert stat.S_IMODE(worker.socket.stat().st_mode) == 0o600
        assert stat.S_IMODE(worker.socket.parent.stat().st_mode) == 0o700


async def test_many_calls_at_once_are_all_answered_by_both(pool: WorkerPool) -> None:
    results = await asyncio.gather(*(pool.deidentify(document(TEXT), tenant="default") for _ in range(20)))
    assert {result.replaced.reveal() for result in results} == {SAFE}


async def test_a_language_that_is_not_english_is_said_over_the_wire(pool: WorkerPool) -> None:
    spanish = "El paciente acude a la consulta por dolor en el pecho desde hace dos días, sin fiebre ni tos. "
    result = await pool.deidentify(document(spanish * 2), tenant="default")
    assert (result.reason, result.replaced.reveal()) == (Reason.LANGUAGE, "")


async def test_a_deadline_is_kept_and_another_worker_answers_what_comes_next(
    workers: list[Worker], pool: WorkerPool
) -> None:
    hasty = WorkerPool([workers[0].socket], deadline=timedelta(milliseconds=50))
    with pytest.raises(WorkerTimedOut):
        await hasty.deidentify(document(LONG), tenant="default")
    await hasty.close()
    assert (await pool.deidentify(document(TEXT), tenant="default")).replaced.reveal() == SAFE
    # The kernel ends it two seconds later, if it is not done by then: see test_deidentification_pool.py.
    workers[0].end(signal.SIGKILL)
    workers[0] = Worker(workers[0].socket)
    await ready(pool, workers)


async def test_a_call_survives_the_kill_of_the_worker_that_had_it(
    workers: list[Worker], pool: WorkerPool
) -> None:
    calls = [asyncio.create_task(pool.deidentify(document(LONG), tenant="default")) for _ in range(2)]
    async with asyncio.timeout(60):
        while cpu_seconds(workers[0]) < 0.3 + idle_cpu(workers[0]):
            await asyncio.sleep(0.02)
    workers[0].end(signal.SIGKILL)
    results = await asyncio.wait_for(asyncio.gather(*calls), 120)
    assert all(result.replaced.reveal() == (SAFE + "\n") * LINES for result in results)
    # The one that is left serves alone, and the restarted one is found on its old socket.
    await pool.check()
    assert (await pool.deidentify(document(TEXT), tenant="default")).replaced.reveal() == SAFE
    workers[0] = Worker(workers[0].socket)
    await ready(pool, workers)
    workers[1].end(signal.SIGKILL)
    assert (await pool.deidentify(document(TEXT), tenant="default")).replaced.reveal() == SAFE


_idle: dict[int, float] = {}


def idle_cpu(worker: Worker) -> float:
    return _idle.setdefault(worker.process.pid, cpu_seconds(worker))


def cpu_seconds(worker: Worker) -> float:
    fields = Path(f"/proc/{worker.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def test_sigterm_ends_a_worker_and_nothing_of_any_text_was_logged(
    workers: list[Worker], pool: WorkerPool
) -> None:
    assert workers[0].end(signal.SIGTERM) == 0
    assert not workers[0].socket.exists()
    workers[1].end(signal.SIGTERM)
    with pytest.raises(Unavailable):
        await pool.deidentify(document(TEXT), tenant="default")
    logged = "".join(worker.log.read_text() for worker in workers)
    assert "worker serves" in logged
    for phi in ("Zephyrine", "Mokoena", "4456781", "Houston", "paciente"):
        assert phi not in logged


def lines(*rows: object) -> str:
    return "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows)


BAD = (
    "line 11: not JSON",
    "line 12: no text",
    "line 36: half a surrogate pair",
    "line 37: nested too deeply",
    "line 38: nested too deeply",
)


def test_a_batch_keeps_the_order_resumes_and_names_its_bad_lines(tmp_path: Path) -> None:
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    good = [{"id": number, "text": f"{TEXT} No. {number}"} for number in range(30)]
    known = {"id": "k", "text": "today zephyrine felt well", "known": {"names": ["Zephyrine Quatremer"]}}
    source.write_text(
        lines(*good[:10], "{not json", {"id": 1}, "", *good[10:], known, " ", {"id": 9, "text": "\ud800"})
        + '{"id": 10, "text": "x", "y": %s}\n' % ("[" * 60 + "]" * 60)
        + "[" * 100_000
    )
    cache = RuntimeSettings().cache
    seen: list[tuple[int, int]] = []

    class Interrupted(Exception):
        pass

    def interrupt(done: int, total: int) -> None:
        seen.append((done, total))
        if done >= 8:
            raise Interrupted

    with pytest.raises(Interrupted):
        deidentify_file(source, target, 2, cache, interrupt)
    assert not target.exists()
    with (tmp_path / "out.jsonl.part").open("a") as torn:
        torn.write('{"id": 99, "te')
    seen.clear()
    with pytest.raises(BadLines, match="; ".join(BAD)):
        deidentify_file(source, target, 2, cache, lambda done, total: seen.append((done, total)))
    assert seen[0] == (16, 31)
    assert seen[-1] == (31, 31)
    rows = [json.loads(line) for line in target.read_text().splitlines()]
    assert [row["id"] for row in rows] == [*range(30), "k"]
    assert rows[3]["text"] == f"{SAFE} No. 3"
    assert rows[-1]["text"] == "today [NAME] felt well"
    assert set(rows[0]) == {"id", "text", "spans", "risk", "quarantined"}
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["in.jsonl", "out.jsonl", "out.jsonl.bad"]
    bad = [json.loads(line) for line in (tmp_path / "out.jsonl.bad").read_text().splitlines()]
    assert [f"line {row['line']}: {row['problem']}" for row in bad] == [*BAD]


def test_a_batch_that_was_killed_goes_on_where_it_was_and_leaves_no_process(tmp_path: Path) -> None:
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    part = tmp_path / "out.jsonl.part"
    source.write_text(lines(*({"id": number, "text": (TEXT + "\n") * 50} for number in range(60))))
    command = [sys.executable, "-m", "curbside", "deidentify", str(source), "-o", str(target)]
    first = subprocess.Popen(command, env=child_environment(), stdout=subprocess.DEVNULL)
    while not part.exists() or part.read_bytes().count(b"\n") < 2:
        assert first.poll() is None
        time.sleep(0.02)
    children = Path(f"/proc/{first.pid}/task/{first.pid}/children").read_text().split()
    assert len(children) >= 2
    first.kill()
    first.wait(30)
    while any(is_running(child) for child in children):
        time.sleep(0.02)
    done = part.read_bytes().count(b"\n")
    assert not target.exists()
    counts: list[int] = []
    deidentify_file(source, target, 2, RuntimeSettings().cache, lambda done, _: counts.append(done))
    assert counts[0] == done
    rows = [json.loads(line) for line in target.read_text().splitlines()]
    assert [(row["id"], row["text"]) for row in rows] == [(n, (SAFE + "\n") * 50) for n in range(60)]


def is_running(process: str) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
