"""`curbside up --full`: the outside servers on this machine, and every service in a process of its own.

What runs is read from a file (`deploy/local/processes.yaml`). The servers come first, then `provision`, then
the services; each is restarted where it dies. Key-encryption keys are those of the data directory.
"""

from __future__ import annotations

import json
import shlex
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Final

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_settings import BaseSettings
from rich.console import Console

from curbside.errors import CurbsideError, OperatorError
from curbside.runtime.carrying import carry
from curbside.runtime.carrying_from import Source
from curbside.runtime.client import ADDRESSES
from curbside.runtime.installation import provide_tokens
from curbside.runtime.kinds import Kind, check_kind, kind_of, record_kind, record_servers
from curbside.runtime.platform import state_directory
from curbside.runtime.provision import provision
from curbside.runtime.services import SERVICES
from curbside.runtime.supervisor import AlreadyRunning, Child, Supervisor, supervisor_runs
from curbside.settings import (
    Port,
    RuntimeSettings,
    as_environment,
    bracketed,
    passing_environment,
    set_process_environment,
)
from curbside.testing.servers.certificates import write_secret
from curbside.testing.servers.kafka import LocalKafka
from curbside.testing.servers.postgres import LocalPostgres
from curbside.testing.servers.process import answers_over_tls
from curbside.testing.servers.s3 import LocalS3

PROCESSES: Final = Path(__file__).resolve().parents[3] / "deploy" / "local" / "processes.yaml"
_DATABASE: Final = "curbside"
_BUCKET: Final = "curbside"
# A first start fetches 54 MB of Kafka's jars from Maven Central.
_SERVERS_LIMIT: Final = timedelta(minutes=5)


class BadProcesses(OperatorError):
    code = "operator.bad-processes"


class ServersDidNotStart(OperatorError):
    code = "operator.servers-did-not-start"


class Occupied(OperatorError):
    """What is carried there would mix with what is there."""

    code = "operator.occupied"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class OnePort(_Part):
    port: Port


class KafkaPorts(_Part):
    plaintext: Port
    controller: Port
    sasl_ssl: Port
    ssl: Port


class ServicePorts(_Part):
    http: Port
    grpc: Port


class Servers(_Part):
    postgres: OnePort
    kafka: KafkaPorts
    s3: OnePort


class Processes(_Part):
    """The process file: which servers and services there are, and where they listen."""

    servers: Servers
    services: Annotated[dict[str, ServicePorts], Field(min_length=1)]
    engine: OnePort


def read_processes(path: Path) -> Processes:
    """Raises BadProcesses naming the file and the entry."""
    try:
        processes = Processes.model_validate(yaml.safe_load(path.read_text()))
    except OSError as error:
        raise BadProcesses(
            f"the process file {str(path)!r} cannot be read ({error.strerror}): it is part of a checkout; "
            "name another with --processes."
        ) from None
    except yaml.YAMLError:
        raise BadProcesses(f"the process file {str(path)!r} is not YAML.") from None
    except ValidationError as error:
        first = error.errors()[0]
        entry = ".".join(str(part) for part in first["loc"])
        raise BadProcesses(f"{str(path)!r}, {entry}: {first['msg']}.") from None
    if set(processes.services) != set(SERVICES):
        raise BadProcesses(f"{str(path)!r}, services: it must name {', '.join(SERVICES)}.")
    return processes


class LocalServers:
    """PostgreSQL, Kafka and S3 of one data directory, where the process file puts them."""

    def __init__(self, settings: RuntimeSettings, ports: Servers) -> None:
        place = settings.data / "servers"
        kafka = ports.kafka
        self.passwords = place / "passwords"
        self.postgres = LocalPostgres(place / "postgres", port=ports.postgres.port)
        self.kafka = LocalKafka(
            place / "kafka",
            plaintext_port=kafka.plaintext,
            controller_port=kafka.controller,
            sasl_ssl_port=kafka.sasl_ssl,
            ssl_port=kafka.ssl,
        )
        self.s3 = LocalS3(place / "s3", port=ports.s3.port)
        self._ports = ports

    def children(self) -> list[Child]:
        kafka = self._ports.kafka
        servers: Mapping[str, tuple[Path, Mapping[str, int]]] = {
            "postgres": (self.postgres.directory, {"--port": self._ports.postgres.port}),
            "kafka": (
                self.kafka.directory,
                {
                    "--port": kafka.plaintext,
                    "--controller-port": kafka.controller,
                    "--sasl-ssl-port": kafka.sasl_ssl,
                    "--ssl-port": kafka.ssl,
                },
            ),
            "s3": (self.s3.directory, {"--port": self._ports.s3.port}),
        }
        return [
            Child(
                name,
                ("--data", str(directory), *(str(part) for option in ports.items() for part in option)),
                module=f"curbside.testing.servers.{name}",
            )
            for name, (directory, ports) in servers.items()
        ]

    def settings(self) -> dict[str, BaseSettings]:
        """How each half is reached, by its name; they must have been started once."""
        return {
            "database": self.postgres.settings(_DATABASE, self.passwords),
            "kafka": self.kafka.settings("SASL_SSL"),
            "blobs": self.s3.settings(bucket=_BUCKET),
        }

    def environment(self) -> dict[str, str]:
        """What tells a process to use them."""
        variables: dict[str, str] = {}
        for settings in self.settings().values():
            variables |= as_environment(settings)
        return variables

    def to_record(self) -> dict[str, dict[str, Any]]:
        """The same for `record_servers`."""
        return {
            half: settings.model_dump(mode="json", exclude_defaults=True, exclude_none=True)
            for half, settings in self.settings().items()
        }

    def administrator(self) -> dict[str, str]:
        """What tells `provision` who may make roles."""
        path = self.passwords / "administrator.url"
        self.passwords.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_secret(path, self.postgres.admin_url(_DATABASE).encode())
        return {"CURBSIDE_PROVISION__DATABASE_ADMIN_URL_FILE": str(path)}

    def ready(self) -> bool:
        """Whether these servers take requests, and not others that have their ports."""
        return (
            self.postgres.answers(_DATABASE)
            and answers_over_tls(self._ports.kafka.sasl_ssl, self.kafka.ca_file)
            and self.s3.answers()
        )


def run_up_full(settings: RuntimeSettings, processes_file: Path) -> None:
    """Run the servers and every service until SIGTERM or Ctrl-C; print where they are.

    Raises OtherKind where `curbside up` has run on the same data.
    """
    with _stopped_in_order(), suppress(KeyboardInterrupt):
        _run_up_full(settings, processes_file)


def _run_up_full(settings: RuntimeSettings, processes_file: Path) -> None:
    from curbside.runtime.up import supervise

    console = Console(stderr=True, soft_wrap=True)
    processes = read_processes(processes_file)
    if supervisor_runs(settings.data):
        raise AlreadyRunning(settings.data)
    check_kind(settings, Kind.FULL)
    services = Supervisor(
        service_children(settings, processes), settings.data, settings.shutdown_grace, log_files=True
    )
    addresses = state_directory(settings) / ADDRESSES
    with _local_servers(settings, processes, console) as servers:
        record_kind(settings, Kind.FULL)
        admin = provide_tokens(settings)
        urls = service_urls(settings, processes)
        addresses.write_text(json.dumps(urls))

        def started() -> None:
            console.print(f"Curbside starts on [bold]{settings.data}[/], each service by itself:")
            for name, url in urls.items():
                console.print(f"  {name:<16} {url}")
            console.print(f"  admin token {admin} (mode 0600)      logs {settings.data / 'logs'}")
            console.print(f"  files       {servers.postgres.data} (PostgreSQL)")
            console.print(f"              {settings.data / 'servers'} (Kafka, S3)")
            console.print(f"Other commands find it with --data {shlex.quote(str(settings.data))}.")
            console.print("Ctrl-C stops everything.")

        try:
            supervise(services, started)
        finally:
            addresses.unlink(missing_ok=True)


def carry_to_local_servers(source: Path, settings: RuntimeSettings, processes_file: Path) -> None:
    """`migrate --from`, to the servers that `up --full` runs: they are started for it, and stopped."""
    there = Source.at(source)
    with there.standing_still():
        pass  # looked at before anything is started or made for it; `carry` holds it still
    processes = read_processes(processes_file)
    if supervisor_runs(settings.data):
        raise AlreadyRunning(settings.data)
    if kind_of(settings.data) is Kind.FULL:
        raise Occupied(
            f"{str(settings.data)!r} holds an installation on PostgreSQL, Kafka and S3 already",
            mend="Name a new data directory with --data.",
        )
    if there.data != settings.data:
        check_kind(settings, Kind.FULL, carrying=there.data)
    console = Console(stderr=True, soft_wrap=True)
    with _stopped_in_order(), _local_servers(settings, processes, console):
        carry(source, settings, Kind.FULL)


@contextmanager
def _local_servers(
    settings: RuntimeSettings, processes: Processes, console: Console
) -> Iterator[LocalServers]:
    """The servers run, are provisioned, and are what this process and its children use."""
    servers = LocalServers(settings, processes.servers)
    keeping = _Kept(
        Supervisor(servers.children(), settings.data, settings.shutdown_grace, log_files=True, name="servers")
    )
    console.print("starting PostgreSQL, Kafka and S3")
    try:
        keeping.start()
        _await(servers.ready, keeping)
        record_servers(settings.data, servers.to_record())
        set_process_environment(**servers.environment())
        with passing_environment(**servers.administrator()):
            provision(settings, console=console)
        yield servers
    finally:
        keeping.stop()


@contextmanager
def _stopped_in_order() -> Iterator[None]:
    """SIGTERM and Ctrl-C raise KeyboardInterrupt, once: what was started is stopped then, and by no second
    signal killed. `supervise` replaces the handlers when there is something to supervise."""

    def interrupt(*_: object) -> None:
        for number in before:
            # A function, not SIG_IGN: that is inherited, and a child would not hear that it is to stop.
            signal.signal(number, _nothing_more)
        raise KeyboardInterrupt

    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    for number in before:
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _nothing_more(*_: object) -> None:
    """The stop is under way."""


class _Kept:
    """A supervisor on a thread of its own, so that this one may go on."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self._thread = threading.Thread(target=self._run, name="servers")
        self.problem: CurbsideError | None = None

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._supervisor.stop()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        try:
            self._supervisor.run()
        except CurbsideError as error:
            self.problem = error


def _await(ready: Callable[[], bool], keeping: _Kept) -> None:
    deadline = time.monotonic() + _SERVERS_LIMIT.total_seconds()
    while not ready():
        if keeping.problem is not None:
            raise keeping.problem
        if time.monotonic() > deadline:
            raise ServersDidNotStart(
                f"the servers did not answer within {_SERVERS_LIMIT}: see postgres.log, kafka.log and s3.log "
                "in the data directory's logs."
            )
        time.sleep(0.2)


def service_urls(settings: RuntimeSettings, processes: Processes) -> dict[str, str]:
    host = bracketed(settings.reachable_host)
    return {name: f"http://{host}:{processes.services[name].http}" for name in SERVICES}


def service_children(settings: RuntimeSettings, processes: Processes) -> Sequence[Child]:
    """`curbside serve SERVICE` for each, told where its neighbours are."""
    host = bracketed(settings.reachable_host)
    neighbours = {
        "CURBSIDE_INFERENCE__DEIDENTIFICATION_TARGET": (
            f"{host}:{processes.services['deidentification'].grpc}"
        ),
        "CURBSIDE_WORKBENCH__INFERENCE_URL": service_urls(settings, processes)["inference"],
        "CURBSIDE_ENGINE__PORT": str(processes.engine.port),
    }
    return [
        Child(
            name,
            ("serve", name),
            {
                **neighbours,
                "CURBSIDE_RUNTIME__DATA_DIR": str(settings.data),
                "CURBSIDE_RUNTIME__HTTP_PORT": str(processes.services[name].http),
                "CURBSIDE_RUNTIME__GRPC_PORT": str(processes.services[name].grpc),
            },
        )
        for name in SERVICES
    ]
