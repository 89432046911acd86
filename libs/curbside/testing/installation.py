"""A whole installation on free ports with a tiny model: what chaos and end-to-end tests drive."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from pathlib import Path

from curbside.demo.installation import Installation
from curbside.settings import RuntimeSettings
from curbside.testing.tiny_model import write_tiny_model


def free_ports(count: int) -> list[int]:
    """Ports that were free a moment ago, all different."""
    held = [socket.socket() for _ in range(count)]
    try:
        for one in held:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in held]
    finally:
        for one in held:
            one.close()


def tiny_environment(data: Path, model: Path) -> dict[str, str]:
    """Settings, as environment variables, of an installation that answers with the model at `model`."""
    http, grpc, engine = free_ports(3)
    return {
        "CURBSIDE_RUNTIME__DATA_DIR": str(data),
        "CURBSIDE_RUNTIME__HTTP_PORT": str(http),
        "CURBSIDE_RUNTIME__GRPC_PORT": str(grpc),
        "CURBSIDE_RUNTIME__MIN_FREE_DISK_BYTES": "0",
        "CURBSIDE_ENGINE__PORT": str(engine),
        "CURBSIDE_RUNTIME__BASE_MODEL": str(model),
        "CURBSIDE_DEIDENTIFICATION__WORKERS": "1",
    }


def tiny_installation(directory: Path) -> tuple[Installation, Mapping[str, str]]:
    """An installation in `directory`, not started, and the environment that a command needs to reach it."""
    model = write_tiny_model(directory / "model", layers=2, positions=4096)
    environment = tiny_environment(directory / "data", model)
    settings = RuntimeSettings(
        data_dir=directory / "data",
        http_port=int(environment["CURBSIDE_RUNTIME__HTTP_PORT"]),
        grpc_port=int(environment["CURBSIDE_RUNTIME__GRPC_PORT"]),
    )
    return Installation(settings, environment), environment
