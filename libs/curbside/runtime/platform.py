"""The one place where the halves of every pair are chosen: a server that settings name, or this machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curbside.bus.embedded import EmbeddedBus
from curbside.bus.kafka import KafkaBus, check_settings
from curbside.bus.protocol import Bus
from curbside.identity.tokens import METADATA as IDENTITY_METADATA
from curbside.identity.tokens import Tokens
from curbside.runtime.kinds import Kind, check_named, kind_of, recorded_servers
from curbside.runtime.services import Platform, ServicePackage
from curbside.settings import (
    BlobSettings,
    BusSettings,
    DatabaseSettings,
    KafkaSettings,
    RuntimeSettings,
    SettingsT,
    load,
)
from curbside.storage.blobs import BlobStore
from curbside.storage.database import Database, sqlite_url
from curbside.storage.directories import private_directory
from curbside.storage.directory_objects import DirectoryObjects
from curbside.storage.keys import DataKeys, KeyRing
from curbside.storage.migrate import migrate
from curbside.storage.objects import Objects
from curbside.storage.postgres import IDENTITY, owner_url
from curbside.storage.wrapped_keys import PostgresWrappedKeys, SqliteWrappedKeys
from curbside.storage.zones import GRANTS


@dataclass(frozen=True)
class Halves:
    """Where an installation keeps its data. What names no server is this machine's own half."""

    database: DatabaseSettings
    kafka: KafkaSettings
    blobs: BlobSettings


def halves(settings: RuntimeSettings) -> Halves:
    """The halves that this process's environment names, else those that the data directory belongs to: of
    `curbside up --full` its own servers. Whoever opens a half asks here, so that none is begun beside it.

    Raises ServersNotRunning, or ServersNotNamed.
    """
    named = Halves(load(DatabaseSettings), load(KafkaSettings), load(BlobSettings))
    kind = kind_of(settings.data)
    if kind is Kind.SERVERS:
        check_named(settings.data)
    whole = named.database.url and named.kafka.bootstrap_servers and named.blobs.bucket
    if whole or kind is not Kind.FULL:
        return named
    local = recorded_servers(settings.data)
    return Halves(
        named.database if named.database.url else _filled(named.database, local["database"]),
        named.kafka if named.kafka.bootstrap_servers else _filled(named.kafka, local["kafka"]),
        named.blobs if named.blobs.bucket else _filled(named.blobs, local["blobs"]),
    )


def _filled(named: SettingsT, local: Mapping[str, Any]) -> SettingsT:
    """`local`, under what the environment says."""
    unsaid = {name: value for name, value in local.items() if name not in named.model_fields_set}
    return load(type(named), **unsaid)


def key_ring(settings: RuntimeSettings) -> KeyRing:
    return KeyRing(settings.keys, settings.profile)


def open_bus(settings: RuntimeSettings, retry: BusSettings | None = None) -> Bus:
    retry = retry or load(BusSettings)
    return open_outside_bus(settings, retry) or EmbeddedBus(settings.data / "bus" / "log.db", retry)


def open_outside_bus(settings: RuntimeSettings, retry: BusSettings | None = None) -> KafkaBus | None:
    """Kafka, where the settings name its servers."""
    kafka = halves(settings).kafka
    if kafka.bootstrap_servers is None:
        return None
    check_settings(kafka, settings.profile)
    return KafkaBus(kafka, retry or load(BusSettings))


def open_tokens(
    settings: RuntimeSettings, ring: KeyRing, *, reader: str | None = None
) -> tuple[Tokens, Database]:
    """The token store, migrated, and its database (to close).

    In PostgreSQL a `reader`, the service that checks tokens, may not write them and migrates nothing.
    """
    chosen = halves(settings).database
    if chosen.url is not None and reader is not None:
        url = _postgres_url(settings, chosen, reader, schema=IDENTITY)
    else:
        url = database_url(settings, IDENTITY)
        migrate("curbside.identity", url)
    database = Database(IDENTITY, url, IDENTITY_METADATA, ring, chosen)
    return Tokens(database, ring), database


def open_data_keys(settings: RuntimeSettings, ring: KeyRing, service: str) -> DataKeys:
    chosen = halves(settings).database
    if chosen.url is None:
        return DataKeys(SqliteWrappedKeys(settings.data / "keys.db"), ring)
    url = _postgres_url(settings, chosen, service)
    return DataKeys(PostgresWrappedKeys(url, service, chosen), ring)


def open_blobs(settings: RuntimeSettings, ring: KeyRing, service: str) -> BlobStore:
    keys = open_data_keys(settings, ring, service)
    return BlobStore(open_objects(settings), keys, ring, grants=GRANTS[service])


def open_objects(settings: RuntimeSettings) -> Objects:
    """Where sealed blobs lie."""
    chosen = halves(settings).blobs
    if chosen.bucket is None:
        return DirectoryObjects(settings.data / "blobs", min_free_bytes=settings.min_free_disk_bytes)
    from curbside.storage import s3_objects  # boto3 takes a while

    s3_objects.check_security(chosen, settings.profile)
    return s3_objects.S3Objects(chosen)


def open_database(
    settings: RuntimeSettings, ring: KeyRing, package: ServicePackage, *, migrated: bool = True
) -> Database:
    """The database of a service, brought to the newest schema first where it is to be `migrated`."""
    url = database_url(settings, package.name)
    if migrated:
        migrate(package.package, url, ring)
    return Database(package.name, url, package.metadata, ring, halves(settings).database)


def database_url(settings: RuntimeSettings, owner: str) -> str:
    """The database that `owner` (a service, or identity) writes."""
    chosen = halves(settings).database
    if chosen.url is None:
        return sqlite_url(settings.data, owner)
    return _postgres_url(settings, chosen, owner)


def _postgres_url(
    settings: RuntimeSettings, chosen: DatabaseSettings, owner: str, *, schema: str | None = None
) -> str:
    url = owner_url(chosen, settings.profile, owner, schema=schema)
    return url.render_as_string(hide_password=False)


def open_platform(settings: RuntimeSettings, package: ServicePackage, *, bus: Bus, ring: KeyRing) -> Platform:
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
