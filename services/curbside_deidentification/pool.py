"""The service's side of its worker processes: the least busy one is asked, another when it dies.

A worker has one document of ours at a time, so that a deadline measures work and not the queue before it, and
a slow document costs no other its time.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import logging
import secrets
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import grpc
from grpc import aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from curbside.contracts.codec import PhiDocument
from curbside.contracts.v1 import deidentification_pb2_grpc as rpc
from curbside.errors import CurbsideError, Unavailable
from curbside_deidentification.pipeline import Result
from curbside_deidentification.wire import BEGUN, MESSAGE_OPTIONS, from_response, to_request

log = logging.getLogger(__name__)
# A restarted worker is found within a second: gRPC's own backoff grows to two minutes.
_OPTIONS: Final = (
    *MESSAGE_OPTIONS,
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
)
_HEALTH_SECONDS: Final = 2.0
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


@dataclass
class _Worker:
    socket: Path
    channel: aio.Channel
    stub: Any
    health: Any
    turn: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1))
    calls: int = 0  # under way and waiting

    def end_turn(self) -> None:
        self.calls -= 1
        self.turn.release()


@dataclass(frozen=True)
class _Answer:
    """A response, or the status of a failure, and whether the worker had begun the document."""

    response: Any
    status: grpc.StatusCode | None
    begun: bool


class WorkerPool:
    """Clients of the workers at `sockets`. Channels open with the first call, in the loop that makes it."""

    def __init__(self, sockets: Sequence[Path], *, deadline: timedelta) -> None:
        self._sockets = sockets
        self._deadline = deadline
        self._workers: list[_Worker] = []
        self._turn = itertools.count()
        # Workers lost by document, the latest last; a document is a digest under a key of this process.
        self._lost: OrderedDict[bytes, int] = OrderedDict()
        self._key = secrets.token_bytes(32)
        self._calls: set[asyncio.Task[_Answer]] = set()

    async def deidentify(self, document: PhiDocument, *, tenant: str, subject: str = "") -> Result:
        """Ask the least busy worker, and each further one while those before it were unavailable.

        A worker is stateless, so asking twice does nothing twice. Raises NoWorker where none answers;
        WorkerTimedOut; WorkerFailed, also where this document has ended two workers, in one call or in two.
        """
        request = to_request(document, tenant=tenant, subject=subject)
        name = hashlib.blake2b(request.SerializeToString(), key=self._key).digest()
        for worker in self._by_load():
            answer = await self._ask(worker, request)
            status = answer.status
            if status is None:
                self._lost.pop(name, None)
                return from_response(answer.response)
            if status is grpc.StatusCode.DEADLINE_EXCEEDED:
                raise WorkerTimedOut(f"a worker did not finish within {self._deadline}")
            if status is not grpc.StatusCode.UNAVAILABLE:
                raise WorkerFailed(f"a worker failed with {status.name}")
            log.warning("worker unavailable", extra={"socket": worker.socket.name, "begun": answer.begun})
            if answer.begun and self._count_lost(name) >= _MOST_LOST:
                del self._lost[name]
                raise WorkerFailed(f"{_MOST_LOST} workers died at the same document")
        raise NoWorker(
            "no de-identification worker answers",
            mend="Wait for its restart, or start one: curbside serve worker --socket PATH.",
        )

    async def check(self) -> None:
        """Raise NoWorker unless at least one worker's health is SERVING."""
        answers = await asyncio.gather(*(self._serves(worker) for worker in self._connected()))
        if not any(answers):
            raise NoWorker(f"none of {len(self._sockets)} de-identification workers is ready")

    async def close(self) -> None:
        for worker in self._workers:
            await worker.channel.close()
        self._workers.clear()

    async def _ask(self, worker: _Worker, request: Any) -> _Answer:
        """Wait for the worker's turn, and only then let the deadline run."""
        worker.calls += 1
        try:
            await worker.turn.acquire()
        except asyncio.CancelledError:
            worker.calls -= 1
            raise
        # Shielded: where the caller goes, the worker goes on with the document, and its turn is not over.
        call = asyncio.create_task(self._call(worker, request))
        self._calls.add(call)
        call.add_done_callback(self._calls.discard)
        return await asyncio.shield(call)

    async def _call(self, worker: _Worker, request: Any) -> _Answer:
        rest = 0.0
        try:
            response = await worker.stub.Deidentify(request, timeout=self._deadline.total_seconds())
            return _Answer(response, None, True)
        except aio.AioRpcError as error:
            # Only the status: the details are the other side's and may quote the request.
            if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
                rest = _REST_SECONDS
            return _Answer(None, error.code(), BEGUN in dict(error.initial_metadata()))
        finally:
            asyncio.get_running_loop().call_later(rest, worker.end_turn)

    def _count_lost(self, document: bytes) -> int:
        self._lost[document] = self._lost.pop(document, 0) + 1
        if len(self._lost) > _MOST_REMEMBERED:
            self._lost.popitem(last=False)
        return self._lost[document]

    def _by_load(self) -> list[_Worker]:
        workers = self._connected()
        first = next(self._turn) % len(workers)
        return sorted([*workers[first:], *workers[:first]], key=lambda worker: worker.calls)

    def _connected(self) -> list[_Worker]:
        if not self._workers:
            for socket in self._sockets:
                channel = aio.insecure_channel(f"unix:{socket.absolute()}", options=_OPTIONS)
                stub: Any = rpc.DeidentificationStub(channel)
                self._workers.append(_Worker(socket, channel, stub, health_pb2_grpc.HealthStub(channel)))
        return self._workers

    async def _serves(self, worker: _Worker) -> bool:
        try:
            answer = await worker.health.Check(health_pb2.HealthCheckRequest(), timeout=_HEALTH_SECONDS)
        except aio.AioRpcError:
            return False
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)
