"""The gateway's peers, as real servers on free ports: an engine that speaks TGI's shapes, and a shield."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
from aiohttp import web
from grpc import aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from curbside.contracts.v1 import deidentification_pb2 as pb
from curbside.contracts.v1 import deidentification_pb2_grpc as rpc

NAME = "Wolfgang Katzenbach"


class FakeEngine:
    """Replies as text-generation-inference 3.3.7 does; what it was asked stands in `asked`."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.pieces = ["A 5 mm nodule", " in the left", " upper lobe."]
        self.finish = "stop"
        self.refusal: tuple[int, Any] | None = None
        self.breaks_with: dict[str, Any] | None = None  # an event in the stream, after the first piece
        self.ends_early = False
        self.loaded = True
        self.hold: asyncio.Event | None = None  # nothing after the first piece until it is set
        self.waiting = asyncio.Event()
        self.left = asyncio.Event()

    async def health(self, _: web.Request) -> web.Response:
        return web.Response(status=200 if self.loaded else 503)

    async def chat(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.asked.append(body)
        self.keys.append(request.headers.get("authorization"))
        if self.refusal is not None:
            status, reply = self.refusal
            return web.json_response(reply, status=status) if reply else web.Response(status=status)
        try:
            return await (self._stream(request, body) if body.get("stream") else self._whole(body))
        except (asyncio.CancelledError, ConnectionResetError):
            self.left.set()
            raise

    async def _whole(self, body: dict[str, Any]) -> web.Response:
        await self._held()
        message = {"role": "assistant", "content": "".join(self.pieces)}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": self.finish}
        usage = {"prompt_tokens": 40, "completion_tokens": 9, "total_tokens": 49}
        return web.json_response(
            _head(body, "chat.completion") | {"choices": [choice], "usage": usage},
            headers={"x-compute-type": "1-nvidia-a100", "x-total-time": "412", "x-queue-time": "0"},
        )

    async def _stream(self, request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        reply = web.StreamResponse(headers={"content-type": "text/event-stream", "x-accel-buffering": "no"})
        await reply.prepare(request)
        for number, piece in enumerate(self.pieces):
            last = number == len(self.pieces) - 1
            choice = {
                "index": 0,
                "delta": {"role": "assistant", "content": piece},
                "logprobs": None,
                "finish_reason": self.finish if last else None,
            }
            event = _head(body, "chat.completion.chunk") | {"choices": [choice], "usage": None}
            # TGI writes no space after the colon; vLLM does.
            await reply.write(f"data:{json.dumps(event)}\n\n".encode())
            if number == 0:
                await self._held()
                if self.breaks_with is not None:
                    await reply.write(f"data:{json.dumps(self.breaks_with)}\n\n".encode())
                    return reply
                if self.ends_early:
                    return reply
        await reply.write(b"data: [DONE]\n\n")
        return reply

    async def _held(self) -> None:
        if self.hold is not None:
            self.waiting.set()
            await self.hold.wait()

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[FakeEngine]:
        app = web.Application()
        app.router.add_get("/health", self.health)
        app.router.add_post("/v1/chat/completions", self.chat)
        runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            await runner.cleanup()


def _head(body: dict[str, Any], kind: str) -> dict[str, Any]:
    return {
        "object": kind,
        "id": "",
        "created": 1764000000,
        "model": body["model"],
        "system_fingerprint": "3.3.7-native",
    }


class FakeShield(rpc.DeidentificationServicer):
    """Replaces one name; quarantines or fails where it is told to."""

    def __init__(self) -> None:
        self.target = ""
        self.subjects: list[str] = []
        self.tokens: list[str] = []
        self.quarantine: str | None = None
        self.fails_with: grpc.StatusCode | None = None
        self.surrogate: str | None = None  # stands in the name's place, and can be turned back
        self.restores_with: grpc.StatusCode | None = None  # fails so where it is set
        self.restored: list[str] = []  # the opinions that it was asked for

    async def RestoreAnswer(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.restored.append(request.opinion_id)
        self.tokens.append(dict(context.invocation_metadata()).get("authorization", ""))
        if self.restores_with is not None:
            await context.abort(self.restores_with, f"could not read {request.text!r}")
        assert self.surrogate is not None
        return pb.RestoreResponse(text=request.text.replace(self.surrogate, NAME))

    async def Deidentify(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.subjects.append(request.subject)
        self.tokens.append(dict(context.invocation_metadata()).get("authorization", ""))
        text = request.document.text
        if self.fails_with is not None:
            await context.abort(self.fails_with, f"could not read {text!r}")
        if self.quarantine is not None:
            return pb.DeidentifyResponse(quarantined=True, reason=self.quarantine, risk=1.0, policy="p@1")
        start = text.find(NAME)
        found = (
            [pb.Span(start=start, end=start + len(NAME), category="NAME", score=1.0)] if start >= 0 else []
        )
        safe = text.replace(NAME, self.surrogate or "[NAME]")
        restorable = self.surrogate is not None and bool(found)
        return pb.DeidentifyResponse(text=safe, spans=found, policy="p@1", restorable=restorable)

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[FakeShield]:
        server = aio.server()
        rpc.add_DeidentificationServicer_to_server(self, server)
        servicer: Any = health.aio.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
        name = "curbside.contracts.v1.Deidentification"
        await servicer.set(name, health_pb2.HealthCheckResponse.SERVING)
        self.target = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
        await server.start()
        try:
            yield self
        finally:
            await server.stop(None)
