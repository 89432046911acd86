"""The service's side of its worker processes: the least busy one is asked, another when it dies."""

from __future__ import annotations

import asyncio
import itertools
import logging
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
from curbside_deidentification.wire import MESSAGE_OPTIONS, from_response, to_request

log = logging.getLogger(__name__)
# A restarted worker is found within a second: gRPC's own backoff grows to two minutes.
_OPTIONS: Final = (
    *MESSAGE_OPTIONS,
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
)
_HEALTH_SECONDS: Final = 2.0


class WorkerTimedOut(CurbsideError):
    """A worker did not finish within the deadline; another one would not either."""

    code = "deid.timed-out"


class NoWorker(Unavailable):
    code = "deid.no-worker"


class WorkerFailed(CurbsideError):
    """A worker answered with an error of its own; what it says is not repeated."""

    code = "deid.worker-failed"


@dataclass
class _Worker:
    socket: Path
    channel: aio.Channel
    stub: Any
    health: Any
    calls: int = field(default=0)


class WorkerPool:
    """Clients of the workers at `sockets`. Channels open with the first call, in the loop that makes it."""

    def __init__(self, sockets: Sequence[Path], *, deadline: timedelta) -> None:
        self._sockets = sockets
        self._deadline = deadline
        self._workers: list[_Worker] = []
        self._turn = itertools.count()

    async def deidentify(self, document: PhiDocument, *, tenant: str, subject: str = "") -> Result:
        """Ask the least busy worker, and each further one while those before it were unavailable.

        A worker is stateless, so asking twice does nothing twice. Raises NoWorker where none answers,
        WorkerTimedOut, WorkerFailed.
        """
        request = to_request(document, tenant=tenant, subject=subject)
        for worker in self._by_load():
            worker.calls += 1
            try:
                response = await worker.stub.Deidentify(request, timeout=self._deadline.total_seconds())
                return from_response(response)
            except aio.AioRpcError as error:
                # Never `from error`: its details are the other side's and may quote the request.
                status = error.code()
            finally:
                worker.calls -= 1
            if status is grpc.StatusCode.DEADLINE_EXCEEDED:
                raise WorkerTimedOut(f"a worker did not finish within {self._deadline}") from None
            if status is not grpc.StatusCode.UNAVAILABLE:
                raise WorkerFailed(f"a worker failed with {status.name}") from None
            log.warning("worker unavailable", extra={"socket": worker.socket.name})
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
