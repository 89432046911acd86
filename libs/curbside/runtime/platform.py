"""The one place where the halves of every pair are chosen: embedded today."""

from __future__ import annotations

from pathlib import Path

from curbside.bus.embedded import EmbeddedBus
from curbside.identity.tokens import METADATA as IDENTITY_METADATA
from curbside.identity.tokens import Tokens
from curbside.runtime.services import Platform, ServicePackage
from curbside.settings import BusSettings, RuntimeSettings, load
from curbside.storage.blobs import BlobStore
from curbside.storage.database import Database, sqlite_url
from curbside.storage.directories import private_directory
from curbside.storage.keys import DataKeys, KeyRing
from curbside.storage.migrate import migrate
from curbside.storage.zones import GRANTS


def key_ring(settings: RuntimeSettings) -> KeyRing:
    return KeyRing(settings.keys, settings.profile)


def open_bus(settings: RuntimeSettings) -> EmbeddedBus:
    return EmbeddedBus(settings.data / "bus" / "log.db", load(BusSettings))


def open_tokens(settings: RuntimeSettings, ring: KeyRing) -> tuple[Tokens, Database]:
    """The token store, migrated, and its database (to close)."""
    url = sqlite_url(settings.data, "identity")
    migrate("curbside.identity", url)
    database = Database("identity", url, IDENTITY_METADATA, ring)
    return Tokens(database, ring), database


def open_blobs(settings: RuntimeSettings, ring: KeyRing, service: str) -> BlobStore:
    return BlobStore(
        settings.data / "blobs",
        DataKeys(settings.data / "keys.db", ring),
        ring,
        grants=GRANTS[service],
        min_free_bytes=settings.min_free_disk_bytes,
    )


def open_database(settings: RuntimeSettings, ring: KeyRing, package: ServicePackage) -> Database:
    url = sqlite_url(settings.data, package.name)
    migrate(package.package, url)
    return Database(package.name, url, package.metadata, ring)


def open_platform(
    settings: RuntimeSettings, package: ServicePackage, *, bus: EmbeddedBus, ring: KeyRing
) -> Platform:
    return Platform(
        settings=settings,
        bus=bus,
        blobs=open_blobs(settings, ring, package.name),
        ring=ring,
        database=open_database(settings, ring, package),
    )


def state_directory(settings: RuntimeSettings) -> Path:
    """Where pids, sockets and tokens of a running installation lie."""
    directory = settings.data / "run"
    private_directory(directory)
    return directory
