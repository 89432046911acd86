"""The pool and real worker processes without the model: documents that stall, kill and wait."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import re
import signal
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from curbside.contracts.codec import PhiDocument
from curbside.phi import Category, PhiText
from curbside_deidentification.domain.lexicon import Lexicon
from curbside_deidentification.domain.policy import load_policy
from curbside_deidentification.domain.spans import Span
from curbside_deidentification.pool import NoWorker, WorkerFailed, WorkerPool, WorkerTimedOut
from curbside_deidentification.worker import WorkerServicer, _bound, ended_after

pytestmark = pytest.mark.slow

INNOCENT = "The lungs are clear."
DEADLY = "A deadly document."
STALLING = "A stalling document."
SLOW = "A slow document."
TELLING = "A document that tells whether it was read with others."
BREAKING = "A document that the model fails on."
KILLING = "A document that the model dies of."
_WORK_SECONDS = 0.4


def _die() -> None:
    """As a document that takes all memory ends a worker: after what it had begun has been said."""
    time.sleep(_WORK_SECONDS)
    os.kill(os.getpid(), signal.SIGKILL)


class Scripted:
    """A detector that does what the document says."""

    def find(self, text: str, lexicon: Lexicon, candidates: Sequence[Span] | None = None) -> list[Span]:
        if text == DEADLY:
            _die()
        if text == STALLING:
            re.match(r"(a+)+$", "a" * 60 + "b")  # for longer than the universe, with the interpreter's lock
        if text == SLOW:
            time.sleep(_WORK_SECONDS)
        if text == TELLING and candidates is not None:
            return [Span(0, len(text), Category.NAME, 1.0, "Scripted")]
        return []

    def read(self, texts: Sequence[tuple[str, Lexicon]]) -> list[list[Span]]:
        if any(text == BREAKING for text, _ in texts):
            raise ValueError(BREAKING)
        if any(text == KILLING for text, _ in texts):
            _die()
        return [[] for _ in texts]


def _serve(socket: Path) -> None:
    server = _bound(socket, WorkerServicer(Scripted(), load_policy(), limit=ended_after))
    server.wait_for_termination()


Start = Callable[[int], BaseProcess]


@pytest.fixture
def directory() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="cbp") as name:
        yield Path(name)


@pytest.fixture
def start(directory: Path) -> Iterator[Start]:
    started: list[BaseProcess] = []

    def start(number: int) -> BaseProcess:
        socket = sockets(directory)[number]
        socket.unlink(missing_ok=True)
        process = multiprocessing.get_context("spawn").Process(target=_serve, args=(socket,), daemon=True)
        process.start()
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.join()


def sockets(directory: Path) -> list[Path]:
    return [directory / f"worker-{number}.sock" for number in range(3)]


async def serving(directory: Path, count: int, deadline: timedelta = timedelta(seconds=30)) -> WorkerPool:
    """A pool of the first `count` workers, each of which serves."""
    for socket in sockets(directory)[:count]:
        one = WorkerPool([socket], deadline=deadline)
        async with asyncio.timeout(60):
            while True:
                try:
                    await one.check()
                    break
                except NoWorker:
                    await asyncio.sleep(0.05)
        await one.close()
    return WorkerPool(sockets(directory)[:count], deadline=deadline)


async def ask(pool: WorkerPool, text: str) -> str:
    result = await pool.deidentify(PhiDocument(PhiText(text)), tenant="default")
    return result.replaced.reveal()


async def ends(process: BaseProcess) -> int | None:
    await asyncio.to_thread(process.join, 20)
    return process.exitcode


async def test_a_document_that_kills_two_workers_is_given_up(directory: Path, start: Start) -> None:
    killed = [start(0), start(1)]
    pool = await serving(directory, 2)
    assert await ask(pool, INNOCENT) == INNOCENT
    with pytest.raises(WorkerFailed, match="same document"):
        await ask(pool, DEADLY)
    assert [await ends(process) for process in killed] == [-signal.SIGKILL] * 2
    with pytest.raises(NoWorker):
        await ask(pool, INNOCENT)
    await pool.close()


async def test_deaths_of_one_document_are_counted_over_its_calls_and_others_are_not(
    directory: Path, start: Start
) -> None:
    start(0)
    pool = await serving(directory, 1)
    with pytest.raises(NoWorker):
        await ask(pool, DEADLY)
    for _ in range(3):  # nobody was there: that is not the document's fault
        with pytest.raises(NoWorker):
            await ask(pool, DEADLY)
    start(0)
    await (await serving(directory, 1)).close()
    await asyncio.wait_for(until_served(pool), 30)
    assert await ask(pool, INNOCENT) == INNOCENT
    with pytest.raises(WorkerFailed):
        await ask(pool, DEADLY)
    await pool.close()


async def until_served(pool: WorkerPool) -> None:
    while True:
        try:
            return await pool.check()
        except NoWorker:
            await asyncio.sleep(0.05)


async def test_the_kernel_ends_a_worker_that_holds_its_interpreter(directory: Path, start: Start) -> None:
    stuck, other = start(0), start(1)
    pool = await serving(directory, 2, timedelta(seconds=1))
    with pytest.raises(WorkerTimedOut):
        await ask(pool, STALLING)
    # What comes meanwhile is not sent to the one that is stuck.
    assert await asyncio.gather(*(ask(pool, INNOCENT) for _ in range(6))) == [INNOCENT] * 6
    async with asyncio.timeout(20):
        while stuck.is_alive() and other.is_alive():
            await asyncio.sleep(0.05)
    ended = [process.exitcode for process in (stuck, other) if not process.is_alive()]
    assert ended == [-signal.SIGALRM]
    await pool.close()


async def test_a_deadline_measures_work_and_not_the_queue_before_it(directory: Path, start: Start) -> None:
    process = start(0)
    pool = await serving(directory, 1, timedelta(seconds=3 * _WORK_SECONDS))
    answers = await asyncio.gather(*(ask(pool, SLOW) for _ in range(6)))
    assert answers == [SLOW] * 6
    assert process.is_alive()
    await pool.close()


async def test_a_caller_that_leaves_gives_its_turn_to_the_next(directory: Path, start: Start) -> None:
    start(0)
    pool = await serving(directory, 1)
    calls = [asyncio.create_task(ask(pool, SLOW)) for _ in range(3)]
    await asyncio.sleep(_WORK_SECONDS / 4)
    for call in calls[:2]:  # one at work, one waiting
        call.cancel()
    assert await asyncio.wait_for(calls[2], 20) == SLOW
    assert await ask(pool, INNOCENT) == INNOCENT
    await pool.close()


async def together(pool: WorkerPool, workers: int, texts: Sequence[str]) -> list[str | BaseException]:
    """What becomes of `texts`, which wait together while every worker is at another one."""
    busy = [asyncio.create_task(ask(pool, SLOW)) for _ in range(workers)]
    await asyncio.sleep(0)  # the slow ones have their workers
    answers = await asyncio.gather(*(ask(pool, text) for text in texts), return_exceptions=True)
    assert await asyncio.gather(*busy) == [SLOW] * workers
    return answers


async def test_what_waits_is_read_together_and_what_does_not_is_read_alone(
    directory: Path, start: Start
) -> None:
    start(0)
    pool = await serving(directory, 1)
    assert await ask(pool, TELLING) == TELLING
    assert await together(pool, 1, [TELLING] * 4) == ["[NAME]"] * 4
    long = "The lungs are clear. " * 1_000  # too long to share a worker's turn
    assert await together(pool, 1, [TELLING, long]) == [TELLING, long]
    # The model fails on them together: each is read alone, and none fails for it.
    assert await together(pool, 1, [TELLING, BREAKING, TELLING]) == [TELLING, BREAKING, TELLING]
    await pool.close()


@pytest.mark.parametrize(
    ("text", "failure", "lost"),
    [(DEADLY, WorkerFailed, 2), (STALLING, WorkerTimedOut, 1), (KILLING, None, 1)],
)
async def test_what_ends_a_worker_takes_none_of_those_beside_it_along(
    directory: Path, start: Start, text: str, failure: type[Exception] | None, lost: int
) -> None:
    processes = [start(number) for number in range(3)]
    pool = await serving(directory, 3, timedelta(seconds=2))
    # Of seven, the worker that is free first takes three; the model dies of the ones that it reads together.
    answers = await together(pool, 3, [INNOCENT, text, *[INNOCENT] * 5])
    fate = answers.pop(1)
    assert fate == text if failure is None else isinstance(fate, failure)
    assert answers == [INNOCENT] * 6
    async with asyncio.timeout(20):
        while sum(process.is_alive() for process in processes) > 3 - lost:
            await asyncio.sleep(0.05)
    await pool.close()
