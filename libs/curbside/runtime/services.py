"""The services there are, and what each offers its host."""

from __future__ import annotations

import importlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from curbside.bus.protocol import Bus, Subscription
from curbside.errors import MissingExtra
from curbside.identity.principal import Scope
from curbside.settings import RuntimeSettings
from curbside.storage.blobs import BlobStore
from curbside.storage.database import Database
from curbside.storage.keys import KeyRing

if TYPE_CHECKING:
    from fastapi import APIRouter, FastAPI
    from sqlalchemy import MetaData
    from starlette.types import ASGIApp

# The order is the order of the data's flow; the workbench is last because it mounts at "/".
SERVICES: Final = ("ingestion", "deidentification", "datasets", "training", "inference", "workbench")
# Children that a service starts beside itself; not services of their own.
CHILDREN: Final = ("engine", "worker", "driver")

Check = Callable[[], Awaitable[None]]
Task = Callable[[], Awaitable[None]]


@dataclass(frozen=True)
class Platform:
    """What the host offers a service. The blob store opens only the zones granted to it."""

    settings: RuntimeSettings
    bus: Bus
    blobs: BlobStore
    ring: KeyRing
    database: Database


@dataclass(frozen=True)
class GrpcBinding:
    """A servicer, how it is added to a server, and the scope of each method by its full name."""

    add: Callable[[Any, Any], None]
    servicer: object
    scopes: Mapping[str, Scope]


@dataclass(frozen=True)
class Service:
    """One service, wired: what its `service.py` returns from `build(platform)`."""

    name: str
    router: APIRouter | None = None
    grpc: Sequence[GrpcBinding] = ()
    subscriptions: Sequence[Subscription] = ()
    # Background loops, cancelled at shutdown.
    tasks: Sequence[Task] = ()
    # Readiness checks by name; each raises Unavailable while it does not hold.
    checks: Mapping[str, Check] = field(default_factory=dict)
    # Stands before the routes, of other services too, and after what measures requests.
    gate: Callable[[ASGIApp], ASGIApp] | None = None
    # Called last with the whole app, for what mounts an application of its own.
    mount: Callable[[FastAPI], FastAPI] | None = None
    # Paths of the router below which a body may be of any size: it is read and kept piece by piece.
    streams: Sequence[str] = ()
    # Called where the host is told to stop: ends answers that would not end by themselves.
    stopping: Sequence[Callable[[], None]] = ()
    stop: Sequence[Task] = ()


@dataclass(frozen=True)
class ServicePackage:
    """A service's package: its database's tables and its wiring."""

    name: str
    metadata: MetaData
    build: Callable[[Platform], Service]

    @property
    def package(self) -> str:
        return f"curbside_{self.name}"


def load_package(name: str) -> ServicePackage:
    """Import service `name`; raises MissingExtra where one of its dependencies is not installed."""
    try:
        module = importlib.import_module(f"curbside_{name}.service")
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing.startswith("curbside"):
            raise
        raise MissingExtra(missing, name) from None
    return ServicePackage(name, module.METADATA, module.build)
