"""Settings are read once, here and in each service's `settings.py`, and nowhere else.

Every field has a unit in its name or type, and a bound. A secret has no default, and the production
profile refuses a development one. Names: `CURBSIDE_<SERVICE>__<FIELD>`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from curbside.errors import OperatorError

Port = Annotated[int, Field(ge=1, le=65535)]


class Profile(StrEnum):
    DEVELOPMENT = "development"
    PRODUCTION = "production"


class BadSetting(OperatorError):
    code = "operator.bad-setting"


def settings_config(service: str) -> SettingsConfigDict:
    """The pydantic-settings configuration of `service`: frozen, prefix CURBSIDE_<SERVICE>__."""
    return SettingsConfigDict(
        env_prefix=f"CURBSIDE_{service.upper()}__",
        frozen=True,
        extra="ignore",
        hide_input_in_errors=True,  # a mistyped secret must not be echoed
    )


def bracketed(host: str) -> str:
    """`host` as it stands before a port: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host else host


class RuntimeSettings(BaseSettings):
    """What the host of any service needs to know, whichever services it hosts."""

    model_config = settings_config("runtime")

    profile: Profile = Profile.DEVELOPMENT
    data_dir: Path = Path(".curbside")
    # Key-encryption keys. In production they come from a mounted secret, not from beside the data.
    key_dir: Path | None = None
    # Model files fetched by assets.lock; shared by every data directory of a user.
    cache_dir: Path = Path("~/.cache/curbside")
    host: str = "127.0.0.1"
    http_port: Port = 8080
    grpc_port: Port = 8081
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    otlp_endpoint: str | None = None
    service_token_file: Path | None = None
    # The model that is fine-tuned and served: "embedded", a directory, or a Hugging Face id. One setting for
    # training, the engine and the gateway: an adapter fits only the base that it was trained on.
    base_model: str = Field(default="embedded", min_length=1, max_length=256)
    tenant: str = Field(default="default", pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")
    # 25 MB: a scanned report of 50 pages; longer bodies are refused with 413 before they are read.
    max_body_bytes: int = Field(default=25_000_000, ge=1_000, le=1_000_000_000)
    # Bodies of all requests that are under way, together; beyond, 429. While they are read and written they
    # take five times as much: 60 clients with 25 MB each made a process grow by 1.1 GB where this was 250 MB.
    max_bodies_bytes: int = Field(default=100_000_000, ge=1_000_000, le=1_000_000_000_000)
    # A body of which nothing comes for so long is given up with 408.
    body_patience: timedelta = Field(default=timedelta(seconds=30), ge=timedelta(seconds=1))
    # Below this, intake answers 507 rather than fail halfway through a write.
    min_free_disk_bytes: int = Field(default=200_000_000, ge=0)
    shutdown_grace: timedelta = timedelta(seconds=20)

    @property
    def data(self) -> Path:
        return self.data_dir.expanduser().resolve()

    @property
    def keys(self) -> Path:
        return (self.key_dir or self.data / "keys").expanduser().resolve()

    @property
    def cache(self) -> Path:
        return self.cache_dir.expanduser().resolve()

    @property
    def reachable_host(self) -> str:
        """Where this machine reaches what listens on `host`: the loopback address for any address."""
        return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104

    @property
    def http_url(self) -> str:
        return f"http://{bracketed(self.reachable_host)}:{self.http_port}"

    @property
    def grpc_target(self) -> str:
        return f"{bracketed(self.reachable_host)}:{self.grpc_port}"

    @property
    def service_token_path(self) -> Path:
        return (self.service_token_file or self.data / "run" / "service-token").expanduser()


class BusSettings(BaseSettings):
    """How a consumer retries before it gives a message up."""

    model_config = settings_config("bus")

    max_attempts: int = Field(default=5, ge=1, le=100)
    # 0.2 s doubling: five attempts span 3 s, longer than a worker's restart takes on a warm cache;
    # Unavailable errors (a dependency is down) wait up to `max_backoff` and do not count as attempts.
    first_backoff: timedelta = timedelta(milliseconds=200)
    max_backoff: timedelta = timedelta(seconds=30)
    poll_interval: timedelta = timedelta(milliseconds=100)
    partitions: int = Field(default=8, ge=1, le=256)


class KafkaSettings(BaseSettings):
    """The outside half of the bus. Named servers choose it; without, the embedded log is the bus.

    The words are Kafka's own (https://kafka.apache.org/documentation/#security).
    """

    model_config = settings_config("kafka")

    # "host:port", several separated by commas.
    bootstrap_servers: str | None = None
    # Before every topic and group, where several installations share a cluster.
    topic_prefix: str = Field(default="", pattern=r"^([a-z0-9-]+\.)*$", max_length=64)
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "SASL_SSL"
    sasl_mechanism: Literal["SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    username: str | None = None
    password_file: Path | None = None
    ca_file: Path | None = None
    # A client certificate, where the brokers ask for one (mutual TLS).
    certificate_file: Path | None = None
    key_file: Path | None = None
    # Three copies, two of which must have a record before it counts: one broker may be lost at any time.
    replication_factor: int = Field(default=3, ge=1, le=15)
    min_insync_replicas: int = Field(default=2, ge=1, le=15)
    # Within this, others of its group have a dead member's partitions: Kafka's own session timeout is 60 % of
    # it, the rest is for the rebalance. Brokers take no session below 6 s.
    session_timeout: timedelta = timedelta(seconds=10)
    # How long a request may take, and a record may be on its way before it counts as not published.
    request_timeout: timedelta = timedelta(seconds=20)
    # A partition that moves to another member waits so long for its handler to finish; then it is cancelled.
    revoke_timeout: timedelta = timedelta(seconds=20)
    # A consumer that stands still for so long, though records wait and none is handled, is made anew.
    stall_timeout: timedelta = timedelta(seconds=60)
    # Nobody publishes by a routing table that is older (docs/adr/0001-partition-growth.md).
    routing_lease: timedelta = timedelta(seconds=2)
    # How soon consumers see the partitions that a topic was given.
    metadata_max_age: timedelta = timedelta(seconds=10)


class DatabaseSettings(BaseSettings):
    """The outside half of the databases: PostgreSQL, with a schema and a role per service."""

    model_config = settings_config("database")

    # "postgresql://host:port/name?sslmode=verify-full&sslrootcert=…", without user and password: each service
    # connects as its own role. Without a URL each database is an SQLite file.
    url: str | None = None
    # Holds a file per role that this process may use: curbside_<service>.password.
    password_dir: Path | None = None
    # Connections per service and process: those kept open, and those that a burst may add.
    # One that a burst adds is closed after it, and opening it again is a TLS handshake: none by default.
    pool_size: int = Field(default=10, ge=1, le=100)
    max_overflow: int = Field(default=0, ge=0, le=100)
    # How long a request waits for a connection, a statement may run, and one waits for another's lock.
    pool_timeout: timedelta = timedelta(seconds=10)
    statement_timeout: timedelta = timedelta(seconds=60)
    lock_timeout: timedelta = timedelta(seconds=30)


class BlobSettings(BaseSettings):
    """The outside half of the blob store: any endpoint that speaks S3. Without a bucket, a directory."""

    model_config = settings_config("blobs")

    bucket: str | None = None
    # Without one, the endpoint of AWS in `region`.
    endpoint: str | None = None
    region: str = "us-east-1"
    prefix: str = Field(default="", pattern=r"^([A-Za-z0-9._-]+/)*$")
    # Without files, the credentials that boto3 finds by itself (a pod's role, for one).
    access_key_file: Path | None = None
    secret_key_file: Path | None = None
    ca_file: Path | None = None
    # On top of our own encryption, which is always there. "AES256" and "aws:kms" are S3's own words.
    server_side_encryption: Literal["AES256", "aws:kms"] | None = None
    kms_key_id: str | None = None
    # A larger blob is sent in parts of this size. S3 takes none below 5 MiB but the last, and at most 10,000.
    part_bytes: int = Field(default=16 * 1024 * 1024, ge=5 * 1024 * 1024, le=1024 * 1024 * 1024)
    request_timeout: timedelta = timedelta(seconds=30)


class ProvisionSettings(BaseSettings):
    """What only provisioning may know, and no service ever sees."""

    model_config = settings_config("provision")

    # A file with the PostgreSQL URL of a role that may create roles and schemas.
    database_admin_url_file: Path | None = None


SettingsT = TypeVar("SettingsT", bound=BaseSettings)


def load(settings: type[SettingsT], **overrides: Any) -> SettingsT:
    """Read `settings` from the environment, `overrides` on top (a None overrides nothing).

    Raises BadSetting naming the variable and what it must be.
    """
    try:
        return settings(**{name: value for name, value in overrides.items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        prefix = str(settings.model_config["env_prefix"])
        name = prefix + "__".join(str(part) for part in first["loc"]).upper()
        raise BadSetting(f"{name}: {first['msg']}.", field=name) from None


def check_names(known: Iterable[type[BaseSettings]]) -> None:
    """Raise BadSetting where a variable begins as a setting does, and is none of the `known` ones: whoever
    set it believes that it counts. Variables of the tests' own are let by."""
    names = {
        f"{settings.model_config['env_prefix']}{field}".upper()
        for settings in known
        for field in settings.model_fields
    }
    for variable in sorted(os.environ):
        name = variable.upper()
        ours = name.startswith("CURBSIDE_") and "__" in name and not name.startswith("CURBSIDE_TEST_")
        if ours and name not in names:
            nearest = get_close_matches(name, names, 1, cutoff=0)[0]
            raise BadSetting(
                f"there is no setting {variable}", field=variable, mend=f"Unset it, or write {nearest}."
            )


def as_environment(settings: BaseSettings) -> dict[str, str]:
    """The variables that make `settings` in another process: of what differs from the defaults."""
    prefix = str(settings.model_config["env_prefix"])
    given = settings.model_dump(mode="json", exclude_defaults=True, exclude_none=True)
    return {f"{prefix}{name.upper()}": str(value) for name, value in given.items()}


def child_environment(**variables: str) -> dict[str, str]:
    """The environment of a child process: this one's, with `variables` on top."""
    return {**os.environ, **variables}


def set_process_environment(**variables: str) -> None:
    """Set variables that a library reads when it is imported (HF_HUB_OFFLINE, RAY_…) in this process."""
    os.environ.update(variables)


@contextmanager
def passing_environment(**variables: str) -> Iterator[None]:
    """`variables` in this process for as long as the context lasts: no child that starts later has them."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
