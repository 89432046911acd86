"""The HTTP half of the embedded engine: TGI's routes over one generator."""

from __future__ import annotations

import asyncio
import hmac
import json
import socket
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse

from curbside import __version__
from curbside.errors import CurbsideError, OperatorError
from curbside.models import base_model_directory
from curbside_inference.engine import wire
from curbside_inference.engine.generation import Event, Failed, Finished, Generator, Overloaded, Ticket, Token
from curbside_inference.engine.metrics import Metrics
from curbside_inference.engine.models import Models
from curbside_inference.engine.settings import EngineSettings
from curbside_inference.engine.wire import Limits, Parameters, Refused

# The release whose wire is spoken, with our own after it.
ENGINE_VERSION: Final = f"3.3.7+curbside.{__version__}"


class PortTaken(OperatorError):
    code = "operator.port-taken"


class GenerationEnded(CurbsideError):
    """Generating broke off after the model was loaded; a new process may do better, so no OperatorError."""

    code = "engine.generation-ended"


class Unauthorised(Exception):
    """The API key is set and was not sent."""


@dataclass(slots=True)
class Answer:
    """One request from its receipt to its end, for the events, the timings and the headers."""

    inputs: str
    parameters: Parameters
    events: asyncio.Queue[Event]
    ticket: Ticket
    received: float
    validated: float
    tokens: list[Token] = field(default_factory=list)

    async def stream(self) -> AsyncIterator[tuple[Token, Finished | None]]:
        """Each token, the last with its ending. Raises Refused; leaving early cancels the request."""
        try:
            while True:
                event = await self.events.get()
                if isinstance(event, Failed):
                    raise wire.failed(event)
                self.tokens.append(event.token)
                yield event.token, event.end
                if event.end is not None:
                    return
        finally:
            self.ticket.cancel()

    def headers(self, end: Finished | None = None) -> dict[str, str]:
        """TGI's timing headers; a stream's head is sent before there is anything to time."""
        found = {
            "x-compute-type": "cpu",
            "x-compute-characters": str(len(self.inputs)),
            "x-prompt-tokens": str(len(self.ticket.ask.tokens)),
        }
        if end is None:
            return found | {"x-accel-buffering": "no", "cache-control": "no-cache"}
        total = time.monotonic() - self.received

        def ms(seconds: float) -> str:
            return str(round(seconds * 1000))

        return found | {
            "x-compute-time": f"{total:.6f}",
            "x-total-time": ms(total),
            "x-validation-time": ms(self.validated - self.received),
            "x-queue-time": ms(end.queued),
            "x-inference-time": ms(end.inference),
            "x-time-per-token": ms(end.inference / max(1, end.tokens)),
            "x-generated-tokens": str(end.tokens),
        }


class Engine:
    """What the routes share."""

    def __init__(self, settings: EngineSettings, base_model: str) -> None:
        self.settings = settings
        base = base_model_directory(base_model, settings.cache_dir)
        self.models = Models(base, base_model, settings.adapters_dir, settings.max_loaded_adapters)
        self.generator = Generator(
            self.models,
            max_concurrent=settings.max_concurrent_requests,
            max_batch=settings.max_batch_size,
            threads=settings.threads,
        )
        self.metrics = Metrics(self.generator)

    @property
    def limits(self) -> Limits:
        return Limits(min(self.settings.max_total_tokens, self.models.context))

    def authorise(self, request: Request) -> None:
        """A dependency of the routes that generate. Raises Unauthorised."""
        key = self.settings.api_key
        given = request.headers.get("authorization", "").encode()
        if key is not None and not hmac.compare_digest(given, f"Bearer {key.get_secret_value()}".encode()):
            raise Unauthorised

    def begin(self, inputs: str, parameters: Parameters, *, templated: bool = False) -> Answer:
        """Validate and queue. Raises Refused."""
        received = time.monotonic()
        self.metrics.received()
        if not self.generator.healthy:
            raise Refused(503, "healthcheck", "unhealthy")
        ask = wire.to_ask(inputs, parameters, self.models, self.limits, templated=templated)
        loop, events = asyncio.get_running_loop(), asyncio.Queue[Event]()

        def emit(event: Event) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(events.put_nowait, event)

        validated = time.monotonic()
        try:
            ticket = self.generator.submit(ask, emit)
        except Overloaded:
            raise wire.overloaded() from None
        self.metrics.validated(ticket, validated - received)
        return Answer(inputs, parameters, events, ticket, received, validated)

    async def finish(self, answer: Answer, request: Request) -> Finished:
        """Wait for the end of an answer, or cancel it when the client leaves."""

        async def collect() -> Finished:
            async for _, end in answer.stream():
                if end is not None:
                    return end
            raise Refused(500, "incomplete_generation", "Incomplete generation")

        collecting = asyncio.create_task(collect())
        leaving = asyncio.create_task(_gone(request))
        try:
            await asyncio.wait({collecting, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if not collecting.done():
                raise Refused(499, "cancelled", "the client left")
            end = collecting.result()
        finally:
            collecting.cancel()
            leaving.cancel()
            answer.ticket.cancel()
        self.metrics.answered(end, time.monotonic() - answer.received)
        return end

    async def events(
        self, begin: Callable[[], Answer], shape: Callable[[Answer], Shape], *, done: bool
    ) -> AsyncIterator[str]:
        """Server-sent events; an error is an event too. `done` ends them with OpenAI's `[DONE]`."""
        try:
            answer = begin()
            write = shape(answer)
            index = 0
            async for token, end in answer.stream():
                index += 1
                if end is not None:
                    self.metrics.answered(end, time.monotonic() - answer.received)
                for event in write(index, token, end):
                    yield _sse(event)
        except Refused as refused:
            self.metrics.refused(refused.error_type)
            yield _sse(refused.body())
        if done:
            yield "data: [DONE]\n\n"  # the client's parser needs the space


Shape = Callable[[int, Token, Finished | None], list[dict[str, Any]]]


def _sse(event: Mapping[str, Any]) -> str:
    # ASCII: a client that splits lines as str.splitlines does would break an event at U+2028.
    return f"data:{json.dumps(event, separators=(',', ':'))}\n\n"


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def create_app(engine: Engine) -> FastAPI:
    """The application; the engine's generator is started and stopped by who runs it."""
    from curbside_inference.engine.routes import routes

    app = FastAPI(
        title="Curbside embedded engine", version=ENGINE_VERSION, openapi_url="/api-doc/openapi.json"
    )
    app.include_router(routes(engine))

    @app.exception_handler(Refused)
    async def refused(_: Request, error: Refused) -> JSONResponse:
        engine.metrics.refused(error.error_type)
        return JSONResponse(error.body(), status_code=error.status)

    @app.exception_handler(RequestValidationError)
    async def unreadable(_: Request, error: RequestValidationError) -> JSONResponse:
        engine.metrics.refused("validation")
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"][1:]) or "body"
        return JSONResponse(wire.invalid(f"{where}: {first['msg']}").body(), status_code=422)

    @app.exception_handler(Unauthorised)
    async def unauthorised(_: Request, __: Unauthorised) -> Response:
        return Response(status_code=401)

    return app


def run_engine(
    settings: EngineSettings, base_model: str, *, on_bound: Callable[[int], None] = lambda _: None
) -> None:
    """Serve `base_model` until SIGTERM or SIGINT. `/health` is 503 until the model is loaded.

    Raises OperatorError where the model is missing or cannot be loaded, or the port is taken. `on_bound` is
    told the port, which `settings.port` 0 leaves to the system.
    """
    import uvicorn

    engine = Engine(settings, base_model)
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # By its protocol's name, or asyncio leaves Nagle's algorithm on and every answer waits 40 ms.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    with bound:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind((settings.host, settings.port))
            bound.listen(512)  # whoever is told the port may call at once, and waits
        except OSError as error:
            raise PortTaken(
                f"The engine cannot listen on {settings.host}:{settings.port} ({error.strerror}): "
                "stop what uses it or set CURBSIDE_ENGINE__PORT to another port."
            ) from None
        on_bound(bound.getsockname()[1])
        server = uvicorn.Server(
            uvicorn.Config(
                create_app(engine),
                log_config=None,
                access_log=False,
                # Answers under way are finished: the longest takes 6 s on 2 idle cores. Below the 20 s after
                # which a supervisor kills (CURBSIDE_RUNTIME__SHUTDOWN_GRACE).
                timeout_graceful_shutdown=18,
            )
        )

        def give_up() -> None:
            server.should_exit = True

        engine.generator.on_failure = give_up
        engine.generator.start()
        try:
            server.run(sockets=[bound])
        finally:
            engine.generator.stop()
    failure = engine.generator.failure
    if isinstance(failure, OperatorError):
        raise failure
    if failure is not None and engine.generator.loaded:
        raise GenerationEnded(f"The engine's generation ended ({type(failure).__name__}).") from None
    if failure is not None:
        raise OperatorError(
            f"The base model {base_model!r} cannot be loaded ({type(failure).__name__}): "
            "set CURBSIDE_RUNTIME__BASE_MODEL to 'embedded', a directory, or a model id that is in the cache."
        ) from failure


def plain(text: str, status: int = 200) -> Response:
    return PlainTextResponse(text, status_code=status)


def streaming(events: AsyncIterator[str], headers: Mapping[str, str] | None = None) -> StreamingResponse:
    fixed = {"x-accel-buffering": "no", "cache-control": "no-cache", "x-compute-type": "cpu"}
    return StreamingResponse(events, media_type="text/event-stream", headers={**fixed, **(headers or {})})
