"""`curbside up` and `curbside serve`: an installation's processes, or one of them."""

from __future__ import annotations

import signal
import threading
from collections.abc import Sequence
from pathlib import Path

from curbside.errors import OperatorError
from curbside.models import EMBEDDED, base_model_directory
from curbside.runtime.installation import all_services, children_of, provide_tokens
from curbside.runtime.kinds import Kind, check_kind, kind_of, named_kind, record_kind
from curbside.runtime.services import CHILDREN, SERVICES
from curbside.runtime.supervisor import AlreadyRunning, Supervisor, supervisor_runs
from curbside.settings import RuntimeSettings


class UnknownService(OperatorError):
    code = "operator.unknown-service"


def run_up(settings: RuntimeSettings) -> None:
    """Run every service until SIGTERM or Ctrl-C; print where they are."""
    from rich.console import Console

    console = Console(stderr=True, soft_wrap=True)
    if supervisor_runs(settings.data):
        raise AlreadyRunning(settings.data)
    kind = named_kind()
    check_kind(settings, kind)
    check_ports(settings)
    if settings.base_model != EMBEDDED:  # the embedded one may have to be fetched, which the engine does
        base_model_directory(settings.base_model, settings.cache)
    record_kind(settings, Kind.EMBEDDED if kind_of(settings.data) is Kind.EMBEDDED else kind)
    admin = provide_tokens(settings)

    def started() -> None:
        url = settings.http_url
        console.print(f"Curbside starts on [bold]{settings.data}[/]; it is ready when {url}/readyz says so.")
        console.print(f"  workbench   {url}/")
        console.print(f"  API         {url}/docs      gRPC {settings.grpc_target}")
        console.print(f"  metrics     {url}/metrics")
        console.print(f"  admin token {admin} (mode 0600)      logs {settings.data / 'logs'}")
        console.print("Ctrl-C stops everything.")

    supervise(
        Supervisor(all_services(settings), settings.data, settings.shutdown_grace, log_files=True), started
    )


def run_serve(services: Sequence[str], settings: RuntimeSettings, *, here: bool, socket: Path | None) -> None:
    """Run one service with its children, or, with `here`, any services without them."""
    from curbside.telemetry.logs import configure_logging

    unknown = [name for name in services if name not in (*SERVICES, *CHILDREN)]
    if unknown:
        raise UnknownService(
            f"there is no service {unknown[0]!r}: use one of {', '.join((*SERVICES, *CHILDREN))}."
        )
    alone = [name for name in services if name in CHILDREN]
    if alone and len(services) > 1:
        raise UnknownService(
            f"{alone[0]!r} is no service but a process of its own: curbside serve {alone[0]}."
        )
    if alone:
        run_child(services[0], settings, socket)
        return
    children = children_of(tuple(services), settings)
    if here or len(children) == 1:
        from curbside.runtime.host import Host

        Host(services, settings).run()
        return
    configure_logging("supervisor", settings.log_level)
    supervise(
        Supervisor(children, settings.data, settings.shutdown_grace, log_files=False, name="-".join(services))
    )


def run_child(name: str, settings: RuntimeSettings, socket: Path | None) -> None:
    from curbside.telemetry.logs import configure_logging
    from curbside.telemetry.tracing import configure_tracing

    configure_logging(name, settings.log_level)
    configure_tracing(name, settings.otlp_endpoint)
    if name == "engine":
        from curbside.settings import load
        from curbside_inference.engine.app import run_engine
        from curbside_inference.engine.settings import EngineSettings

        run_engine(load(EngineSettings), settings.base_model)
    elif name == "driver":
        from curbside_training.driver import run_driver

        run_driver(settings)
    else:
        from curbside.settings import load
        from curbside_deidentification.settings import DeidentificationSettings
        from curbside_deidentification.worker import run_worker

        if socket is None:
            raise UnknownService("a worker needs a socket: curbside serve worker --socket PATH.")
        run_worker(socket, load(DeidentificationSettings))


def supervise(supervisor: Supervisor, started: object = None) -> None:
    assert threading.current_thread() is threading.main_thread()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: supervisor.stop())
    supervisor.run(started if callable(started) else None)


def check_ports(settings: RuntimeSettings) -> None:
    """Raise PortTaken before any process starts, rather than from a child's log."""
    from curbside.runtime.host import listen
    from curbside.settings import load
    from curbside_inference.engine.settings import EngineSettings

    engine = load(EngineSettings)
    for host, port, setting in (
        (settings.host, settings.http_port, "CURBSIDE_RUNTIME__HTTP_PORT"),
        (settings.host, settings.grpc_port, "CURBSIDE_RUNTIME__GRPC_PORT"),
        (engine.host, engine.port, "CURBSIDE_ENGINE__PORT"),
    ):
        listen(host, port, setting).close()
