"""The service's side of one worker process: its socket, and what it says of the documents it is given."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import grpc
from grpc import aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from curbside.contracts.v1 import deidentification_pb2_grpc as rpc
from curbside.contracts.v1 import deidentification_worker_pb2 as worker_pb
from curbside.contracts.v1 import deidentification_worker_pb2_grpc as worker_rpc
from curbside_deidentification.wire import BEGUN, MESSAGE_OPTIONS

# A restarted worker is found within a second: gRPC's own backoff grows to two minutes.
_OPTIONS: Final = (
    *MESSAGE_OPTIONS,
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
)
_HEALTH_SECONDS: Final = 2.0


@dataclass(frozen=True)
class Answer:
    """A response, or the status of a failure and whether the worker was at this very document then."""

    response: Any
    status: grpc.StatusCode | None
    begun: bool


class WorkerClient:
    """A worker at `socket`. The channel opens in the loop that makes it."""

    def __init__(self, socket: Path) -> None:
        self.socket: Final = socket
        self.busy = False
        self._channel = aio.insecure_channel(f"unix:{socket.absolute()}", options=_OPTIONS)
        self._one: Any = rpc.DeidentificationStub(self._channel)
        self._group: Any = worker_rpc.DeidentificationWorkerStub(self._channel)
        self._health: Any = health_pb2_grpc.HealthStub(self._channel)

    async def ask(self, requests: Sequence[Any], deadline: timedelta) -> list[Answer]:
        """An answer to each of `requests`; each may take `deadline`. Never raises what the worker says: the
        details of its errors may quote a request."""
        if len(requests) == 1:
            return [await self._ask_one(requests[0], deadline)]
        return await self._ask_group(requests, deadline)

    async def serves(self) -> bool:
        """Whether the worker's health is SERVING."""
        try:
            answer = await self._health.Check(health_pb2.HealthCheckRequest(), timeout=_HEALTH_SECONDS)
        except aio.AioRpcError:
            return False
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)

    async def close(self) -> None:
        await self._channel.close()

    async def _ask_one(self, request: Any, deadline: timedelta) -> Answer:
        try:
            response = await self._one.Deidentify(request, timeout=deadline.total_seconds())
        except aio.AioRpcError as error:
            return Answer(None, error.code(), BEGUN in dict(error.initial_metadata()))
        return Answer(response, None, begun=True)

    async def _ask_group(self, requests: Sequence[Any], deadline: timedelta) -> list[Answer]:
        seconds = deadline.total_seconds()
        answers: list[Answer] = []
        at: int | None = None
        status = grpc.StatusCode.UNAVAILABLE  # also of a worker that ends before it has answered all
        call = self._group.DeidentifyGroup(
            worker_pb.DeidentifyGroupRequest(requests=requests, seconds_each=seconds)
        )
        try:
            while True:
                async with asyncio.timeout(seconds):
                    step = await call.read()
                if step is aio.EOF:
                    break
                if step.HasField("response"):
                    answers.append(Answer(step.response, None, begun=True))
                at = step.begun
        except TimeoutError:
            call.cancel()
            status = grpc.StatusCode.DEADLINE_EXCEEDED
        except aio.AioRpcError as error:
            status = error.code()
        left = range(len(answers), len(requests))
        return [*answers, *(Answer(None, status, begun=number == at) for number in left)]
