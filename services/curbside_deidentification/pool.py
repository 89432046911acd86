"""The service's worker processes: what waits goes to the first that is free, to another when that one dies.

A worker has one document of ours, or a few short ones that waited together, so that a deadline measures work
and not the queue before it. Where it dies or is late, each of the few goes to a worker alone, and only the
one that it was at is held for it.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import logging
import math
import secrets
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import grpc

from curbside.contracts.codec import PhiDocument
from curbside.errors import CurbsideError, Unavailable
from curbside_deidentification.pipeline import Result
from curbside_deidentification.together import MOST_CHARACTERS, MOST_DOCUMENTS, characters_of
from curbside_deidentification.wire import from_response, to_request
from curbside_deidentification.worker_client import Answer, WorkerClient

log = logging.getLogger(__name__)
# A worker past its deadline is at the document for two seconds more at most, then the kernel ends it
# (worker.py): what is sent to it meanwhile would die with it.
_REST_SECONDS: Final = 3.0
# A worker may be killed by chance once, at a document of no fault; a second one says that it is the document.
_MOST_LOST: Final = 2
_MOST_REMEMBERED: Final = 1024


class WorkerTimedOut(CurbsideError):
    """A worker did not finish within the deadline; another one would not either."""

    code = "deid.timed-out"


class NoWorker(Unavailable):
    code = "deid.no-worker"


class WorkerFailed(CurbsideError):
    """A worker answered with an error of its own, which is not repeated, or the document has killed two."""

    code = "deid.worker-failed"


@dataclass(eq=False)
class _Job:
    request: Any
    name: bytes  # of the document: a digest under a key of this process
    characters: int
    result: asyncio.Future[Result]
    alone: bool = False
    tried: set[WorkerClient] = field(default_factory=set)

    def fail(self, error: CurbsideError) -> None:
        if not self.result.done():
            self.result.set_exception(error)


class WorkerPool:
    """Clients of the workers at `sockets`. Channels open with the first call, in the loop that makes it."""

    def __init__(self, sockets: Sequence[Path], *, deadline: timedelta) -> None:
        self._sockets = sockets
        self._deadline = deadline
        self._workers: list[WorkerClient] = []
        self._turn = itertools.count()
        self._waiting: OrderedDict[_Job, None] = OrderedDict()
        # Workers lost by document, the latest last.
        self._lost: OrderedDict[bytes, int] = OrderedDict()
        self._key = secrets.token_bytes(32)
        self._calls: set[asyncio.Task[None]] = set()

    async def deidentify(self, document: PhiDocument, *, tenant: str, subject: str = "") -> Result:
        """Ask the first free worker, and each further one while those before it were unavailable.

        A worker is stateless, so asking twice does nothing twice. Raises NoWorker where none answers;
        WorkerTimedOut; WorkerFailed, also where this document has ended two workers, in one call or in two.
        A caller that leaves takes what waits along; what a worker is at is finished.
        """
        request = to_request(document, tenant=tenant, subject=subject)
        name = hashlib.blake2b(request.SerializeToString(), key=self._key).digest()
        result: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        job = _Job(request, name, characters_of(document), result)
        self._waiting[job] = None
        self._send()
        try:
            return await result
        finally:
            self._waiting.pop(job, None)

    async def check(self) -> None:
        """Raise NoWorker unless at least one worker's health is SERVING."""
        answers = await asyncio.gather(*(worker.serves() for worker in self._connected()))
        if not any(answers):
            raise NoWorker(f"none of {len(self._sockets)} de-identification workers is ready")

    async def close(self) -> None:
        for job in self._waiting:
            job.fail(NoWorker("the service is stopping"))
        for worker in self._workers:
            await worker.close()
        self._workers.clear()

    def _send(self) -> None:
        """Give what waits to the workers that are free, in turn."""
        if not self._waiting:
            return
        workers = self._connected()
        first = next(self._turn) % len(workers)
        for worker in (*workers[first:], *workers[:first]):
            if not worker.busy and (jobs := self._take(worker)):
                worker.busy = True
                # A task of its own: where a caller goes, the worker goes on, and its turn is not over.
                call = asyncio.create_task(self._ask(worker, jobs))
                self._calls.add(call)
                call.add_done_callback(self._calls.discard)

    def _take(self, worker: WorkerClient) -> list[_Job]:
        """The job that has waited longest, and short ones behind it: no more than a fair share of all."""
        most = min(MOST_DOCUMENTS, math.ceil(len(self._waiting) / len(self._workers)))
        jobs: list[_Job] = []
        characters = 0
        for job in self._waiting:
            if worker in job.tried:
                continue
            characters += job.characters
            if jobs and (job.alone or len(jobs) >= most or characters > MOST_CHARACTERS):
                break
            jobs.append(job)
            if job.alone:
                break
        for job in jobs:
            del self._waiting[job]
        return jobs

    async def _ask(self, worker: WorkerClient, jobs: list[_Job]) -> None:
        rest = 0.0
        try:
            answers = await worker.ask([job.request for job in jobs], self._deadline)
            if answers[-1].status is not None:
                log.warning("worker did not answer", extra={"socket": worker.socket.name, "jobs": len(jobs)})
            if answers[-1].status is grpc.StatusCode.DEADLINE_EXCEEDED:
                rest = _REST_SECONDS
            at_one = any(answer.begun for answer in answers if answer.status is not None)
            # The last first: each that waits again goes before those that wait already.
            for job, answer in zip(reversed(jobs), reversed(answers), strict=True):
                down = answer.status is grpc.StatusCode.UNAVAILABLE and not at_one
                blameless = len(jobs) > 1 and not answer.begun and not down
                self._settle(job, answer, worker, blameless=blameless)
        except BaseException:
            for job in jobs:
                job.fail(NoWorker("the worker's channel was closed"))
            raise
        finally:
            asyncio.get_running_loop().call_later(rest, self._free, worker)

    def _free(self, worker: WorkerClient) -> None:
        worker.busy = False
        self._send()

    def _settle(self, job: _Job, answer: Answer, worker: WorkerClient, *, blameless: bool) -> None:
        status = answer.status
        if job.result.done():  # its caller has left
            return
        if status is None:
            self._lost.pop(job.name, None)
            job.result.set_result(from_response(answer.response))
        elif blameless:
            self._again(job)
        elif status is grpc.StatusCode.DEADLINE_EXCEEDED:
            job.fail(WorkerTimedOut(f"a worker did not finish within {self._deadline}"))
        elif status is not grpc.StatusCode.UNAVAILABLE:
            job.fail(WorkerFailed(f"a worker failed with {status.name}"))
        elif answer.begun and self._count_lost(job.name) >= _MOST_LOST:
            del self._lost[job.name]
            job.fail(WorkerFailed(f"{_MOST_LOST} workers died at the same document"))
        else:
            job.tried.add(worker)
            self._again(job)

    def _again(self, job: _Job) -> None:
        if job.tried.issuperset(self._workers):
            job.fail(
                NoWorker(
                    "no de-identification worker answers",
                    mend="Wait for its restart, or start one: curbside serve worker --socket PATH.",
                )
            )
            return
        job.alone = True
        self._waiting[job] = None
        self._waiting.move_to_end(job, last=False)

    def _count_lost(self, document: bytes) -> int:
        self._lost[document] = self._lost.pop(document, 0) + 1
        if len(self._lost) > _MOST_REMEMBERED:
            self._lost.popitem(last=False)
        return self._lost[document]

    def _connected(self) -> list[WorkerClient]:
        if not self._workers:
            self._workers = [WorkerClient(socket) for socket in self._sockets]
        return self._workers
