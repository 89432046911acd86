"""A whole installation on free ports with a tiny model: what chaos and end-to-end tests drive."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import yaml

from curbside.demo.installation import Installation
from curbside.runtime.full import LocalServers, read_processes
from curbside.runtime.services import SERVICES
from curbside.settings import RuntimeSettings
from curbside.testing.servers.process import free_ports
from curbside.testing.tiny_model import write_tiny_model


def tiny_environment(data: Path, model: Path, *, workers: int = 1) -> dict[str, str]:
    """Settings, as environment variables, of an installation that answers with the model at `model`."""
    http, grpc, engine = free_ports(3)
    return {
        "CURBSIDE_RUNTIME__DATA_DIR": str(data),
        "CURBSIDE_RUNTIME__HTTP_PORT": str(http),
        "CURBSIDE_RUNTIME__GRPC_PORT": str(grpc),
        "CURBSIDE_RUNTIME__MIN_FREE_DISK_BYTES": "0",
        "CURBSIDE_ENGINE__PORT": str(engine),
        "CURBSIDE_RUNTIME__BASE_MODEL": str(model),
        "CURBSIDE_DEIDENTIFICATION__WORKERS": str(workers),
    }


def tiny_installation(
    directory: Path, *, full: bool = False, workers: int = 1
) -> tuple[Installation, Mapping[str, str]]:
    """An installation in `directory`, not started, and the environment that a command needs to reach it.

    `full` runs each service by itself, on Kafka, PostgreSQL and S3, by a process file of its own.
    """
    model = write_tiny_model(directory / "model", layers=2, positions=4096)
    environment = tiny_environment(directory / "data", model, workers=workers)
    settings = RuntimeSettings(
        data_dir=directory / "data",
        http_port=int(environment["CURBSIDE_RUNTIME__HTTP_PORT"]),
        grpc_port=int(environment["CURBSIDE_RUNTIME__GRPC_PORT"]),
    )
    options = ("--full", "--processes", str(write_processes(directory))) if full else ()
    return Installation(settings, environment, options=options), environment


def servers_of(directory: Path) -> LocalServers:
    """The servers of the full installation in `directory`, which runs them, for whoever looks into them:
    `environment()` is what a command of that installation needs on top once they have been started."""
    settings = RuntimeSettings(data_dir=directory / "data")
    return LocalServers(settings, read_processes(_process_file(directory)).servers)


def write_processes(directory: Path) -> Path:
    """A process file as `deploy/local/processes.yaml`, on ports that were free a moment ago."""
    ports = iter(free_ports(7 + 2 * len(SERVICES)))
    processes = {
        "servers": {
            "postgres": {"port": next(ports)},
            "kafka": {name: next(ports) for name in ("plaintext", "controller", "sasl_ssl", "ssl")},
            "s3": {"port": next(ports)},
        },
        "services": {name: {"http": next(ports), "grpc": next(ports)} for name in SERVICES},
        "engine": {"port": next(ports)},
    }
    path = _process_file(directory)
    path.write_text(yaml.safe_dump(processes))
    return path


def _process_file(directory: Path) -> Path:
    return directory / "processes.yaml"
