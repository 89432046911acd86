"""A host runs one or more services in this process, on one asyncio loop, until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import faulthandler
import gc
import logging
import signal
import socket
from collections.abc import Awaitable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

import uvicorn
from grpc import aio
from grpc_health.v1 import health as grpc_health
from grpc_health.v1 import health_pb2, health_pb2_grpc

from curbside.bus.protocol import Bus
from curbside.errors import OperatorError
from curbside.identity.grpc import RightsInterceptor
from curbside.identity.tokens import Tokens
from curbside.runtime.health import readiness, serving
from curbside.runtime.platform import key_ring, open_bus, open_platform, open_tokens
from curbside.runtime.services import Check, Platform, Service, load_package
from curbside.runtime.web import create_app
from curbside.settings import RuntimeSettings, bracketed
from curbside.storage.relay import relay
from curbside.telemetry.logs import configure_logging
from curbside.telemetry.tracing import configure_tracing

log = logging.getLogger(__name__)

_GRPC_PUBLIC = frozenset({"/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch"})

# What /readyz says is said over gRPC about so much later.
_GC_THRESHOLDS: Final = (10_000, 20, 20)  # objects, then rounds: a batch of 200 reports makes some 5,000
_HEALTH_INTERVAL: Final = timedelta(seconds=1)


class PortTaken(OperatorError):
    code = "operator.port-taken"

    def __init__(self, port: int, setting: str) -> None:
        super().__init__(f"port {port} is taken: stop what listens on it, or set {setting} to a free port.")


class CannotListen(OperatorError):
    code = "operator.cannot-listen"

    def __init__(self, host: str, port: int, setting: str, error: OSError) -> None:
        host_setting = f"{setting.rpartition('__')[0]}__HOST"
        mend = f"set {host_setting} to an address of this machine"
        if error.errno == errno.EACCES:
            mend = f"set {setting} to 1024 or above"
        super().__init__(f"cannot listen on {bracketed(host)}:{port} ({error.strerror}): {mend}.")


class Host:
    """Hosts `services`. `run` returns after a graceful stop: no request or message is cut in half."""

    def __init__(self, services: Sequence[str], settings: RuntimeSettings) -> None:
        self._names = services
        self._settings = settings

    def run(self) -> None:
        name = self._names[0] if len(self._names) == 1 else "web"
        configure_logging(name, self._settings.log_level)
        configure_tracing(name, self._settings.otlp_endpoint)
        listener = listen(self._settings.host, self._settings.http_port, "CURBSIDE_RUNTIME__HTTP_PORT")
        ring = key_ring(self._settings)
        # Migrations and the imports of the services are blocking: they come before the loop.
        packages = [load_package(service) for service in self._names]
        bus = open_bus(self._settings)
        platforms = [open_platform(self._settings, package, bus=bus, ring=ring) for package in packages]
        tokens, identity = open_tokens(self._settings, ring, reader=self._names[0])
        services = [package.build(platform) for package, platform in zip(packages, platforms, strict=True)]

        async def serve() -> None:
            try:
                await self._serve(services, platforms, tokens, bus, listener)
            finally:
                for platform in platforms:
                    await platform.database.close()
                await identity.close()
                await bus.close()

        asyncio.run(serve())

    async def _serve(
        self,
        services: Sequence[Service],
        platforms: Sequence[Platform],
        tokens: Tokens,
        bus: Bus,
        listener: socket.socket,
    ) -> None:
        stopping = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stopping.set)
        # `kill -USR1`: where every thread is, to stderr; files and lines alone, also where the loop hangs.
        faulthandler.register(signal.SIGUSR1, file=2, all_threads=True)

        checks = {"bus": bus.check} | {
            f"database {platform.database.service}": platform.database.check for platform in platforms
        }
        app = create_app(services, tokens=tokens, settings=self._settings, checks=checks)
        http = uvicorn.Server(
            uvicorn.Config(
                app,
                log_config=None,
                lifespan="on",
                timeout_graceful_shutdown=int(self._settings.shutdown_grace.total_seconds()),
                server_header=False,
            )
        )
        http.capture_signals = contextlib.nullcontext  # type: ignore[method-assign,assignment]  # ours stop it
        # Its stubs do not know its methods.
        states: Any = grpc_health.aio.HealthServicer()
        rpc = await self._serve_grpc(services, tokens, states)
        background: list[Awaitable[None]] = [
            *(relay(platform.database, bus) for platform in platforms),
            *(bus.consume(subscription) for service in services for subscription in service.subscriptions),
            *(task() for service in services for task in service.tasks),
        ]
        if rpc is not None:
            background.append(_tell_health(states, services, checks))
        tasks = [asyncio.ensure_future(work) for work in background]
        serving = asyncio.create_task(http.serve(sockets=[listener]))
        stop = asyncio.create_task(stopping.wait())
        _keep_what_is_there()
        log.info("serving", extra={"services": ",".join(self._names), "port": self._settings.http_port})
        # Whichever ends first ends the rest: a background loop that dies must not die in silence.
        done, _ = await asyncio.wait([serving, stop, *tasks], return_when=asyncio.FIRST_COMPLETED)
        log.info("stopping")
        await states.enter_graceful_shutdown()  # every name is NOT_SERVING from here on
        for service in services:
            for end_answers in service.stopping:
                end_answers()
        http.should_exit = True
        await asyncio.gather(serving, return_exceptions=True)
        if rpc is not None:
            await rpc.stop(self._settings.shutdown_grace.total_seconds())
        for task in (stop, *tasks):
            task.cancel()
        await asyncio.gather(stop, *tasks, return_exceptions=True)
        for service in services:
            for end in service.stop:
                await end()
        for task in done - {stop}:
            task.result()  # raises what ended us, so that the supervisor restarts this process

    async def _serve_grpc(
        self, services: Sequence[Service], tokens: Tokens, states: Any
    ) -> aio.Server | None:
        bindings = [binding for service in services for binding in service.grpc]
        if not bindings:
            return None
        scopes = {method: scope for binding in bindings for method, scope in binding.scopes.items()}
        server = aio.server(
            interceptors=[RightsInterceptor(tokens, scopes, _GRPC_PUBLIC)],
            options=[
                ("grpc.so_reuseport", 0),  # a taken port must fail, not be shared
                ("grpc.max_receive_message_length", self._settings.max_body_bytes),
            ],
        )
        for binding in bindings:
            binding.add(binding.servicer, server)
        health_pb2_grpc.add_HealthServicer_to_server(states, server)
        for name in serving(services, {}):
            await states.set(name, health_pb2.HealthCheckResponse.NOT_SERVING)
        host, port, setting = self._settings.host, self._settings.grpc_port, "CURBSIDE_RUNTIME__GRPC_PORT"
        listen(host, port, setting).close()  # gRPC would not say why it cannot
        try:
            bound = server.add_insecure_port(f"{bracketed(host)}:{port}")
        except RuntimeError:
            bound = 0
        if not bound:
            raise PortTaken(port, setting)
        await server.start()
        return server


def _keep_what_is_there() -> None:
    """Let the garbage collector leave alone what was imported and built: it stays as long as the process, and
    walking it again with every few hundred objects of a batch took a quarter of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLDS)


async def _tell_health(states: Any, services: Sequence[Service], checks: Mapping[str, Check]) -> None:
    """Keep what gRPC health says at what readiness says."""
    while True:
        for name, ready in serving(services, await readiness(services, checks)).items():
            await states.set(
                name,
                health_pb2.HealthCheckResponse.SERVING
                if ready
                else health_pb2.HealthCheckResponse.NOT_SERVING,
            )
        await asyncio.sleep(_HEALTH_INTERVAL.total_seconds())


def listen(host: str, port: int, setting: str) -> socket.socket:
    """A listening socket, bound before anything slow starts.

    `setting` is the variable of its port: PortTaken names it, CannotListen names its service's host.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol must be named: asyncio turns Nagle's algorithm off only where it is TCP by name, and
    # with it on every answer waits 40 ms for the peer's delayed acknowledgement.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(512)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise PortTaken(port, setting) from error
        raise CannotListen(host, port, setting, error) from error
    listener.setblocking(False)
    return listener
