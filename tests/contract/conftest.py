"""The servers that contract tests share: started by the first test that asks, stopped with the session."""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from curbside.settings import BlobSettings, DatabaseSettings, Profile, as_environment
from curbside.storage.migrate import migrate
from curbside.storage.postgres import IDENTITY, OWNERS, open_tokens_to_services, owner_url, provision
from curbside.storage.s3_objects import S3Objects
from curbside.testing.servers.kafka import Broker, GivenBroker, LocalKafka, StandIn, broker
from curbside.testing.servers.postgres import LocalPostgres
from curbside.testing.servers.s3 import GivenS3, LocalS3


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory, summary: list[str]) -> Iterator[Broker]:
    """One broker for the session, whichever this machine can have; the summary says which."""
    ours = broker(tmp_path_factory.mktemp("kafka"), given=os.environ.get("CURBSIDE_TEST_KAFKA"))
    summary.append(f"kafka: {ours.name}")
    yield ours
    ours.stop()


@pytest.fixture(scope="session")
def apache_kafka(kafka: Broker) -> LocalKafka:
    """The session's broker where it is Apache Kafka of our own: with TLS, SCRAM and ACLs, and to be killed.

    Who stops or kills it starts it again: others come after.
    """
    if isinstance(kafka, StandIn):
        pytest.skip(
            f"only Apache Kafka has TLS, SCRAM and durability, and this is the stand-in: {kafka.reason}"
        )
    if isinstance(kafka, GivenBroker):
        pytest.skip(
            "the broker of CURBSIDE_TEST_KAFKA is not ours to kill, and is reached in PLAINTEXT alone"
        )
    assert isinstance(kafka, LocalKafka)
    return kafka


@pytest.fixture(scope="session")
def mortal_kafka(apache_kafka: LocalKafka, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalKafka]:
    """A broker to be killed, running when a test gets it. The session's own holds hundreds of topics by then,
    and would take minutes to recover. Whoever kills it starts it again."""
    assert apache_kafka.name  # it skips where there is no Apache Kafka
    ours = LocalKafka(tmp_path_factory.mktemp("mortal-kafka"))
    ours.start()
    yield ours
    ours.destroy()


# What is made before the tests of a session and copied for each: PostgreSQL copies a database in 40 ms.
_TEMPLATE = "curbside_template"


@pytest.fixture(scope="session")
def postgres() -> Iterator[LocalPostgres]:
    """PostgreSQL with every service's schema in the database that tests copy."""
    directory = Path(tempfile.mkdtemp(prefix="curbside-postgres-"))
    server = LocalPostgres(directory, durable=False)
    server.start()
    try:
        server.create_database(_TEMPLATE)
        settings = server.settings(_TEMPLATE, directory / "passwords")
        provision(settings, Profile.DEVELOPMENT, server.admin_url(_TEMPLATE))
        for owner in OWNERS:
            package = "curbside.identity" if owner == IDENTITY else f"curbside_{owner}"
            url = owner_url(settings, Profile.DEVELOPMENT, owner)
            migrate(package, url.render_as_string(hide_password=False))
        open_tokens_to_services(settings, Profile.DEVELOPMENT)
        yield server
    finally:
        server.destroy()
        shutil.rmtree(directory)


_numbers = itertools.count()


@pytest.fixture
def postgres_database(postgres: LocalPostgres) -> Iterator[DatabaseSettings]:
    """A database of this test's own, with every service's schema in it."""
    name = f"test_{next(_numbers)}"
    postgres.create_database(name, template=_TEMPLATE)
    yield postgres.settings(name, postgres.directory / "passwords")
    postgres.drop_database(name)


@pytest.fixture(scope="session")
def s3() -> Iterator[LocalS3 | GivenS3]:
    """The S3 server of CURBSIDE_TEST_S3 (endpoint,bucket), or SeaweedFS of our own; its bucket is there."""
    given = os.environ.get("CURBSIDE_TEST_S3")
    server = GivenS3(given) if given else LocalS3(Path(tempfile.mkdtemp(prefix="curbside-s3-")))
    if isinstance(server, LocalS3):
        server.start()
    try:
        S3Objects(server.settings()).provision()
        yield server
    finally:
        if isinstance(server, LocalS3):
            server.destroy()


@pytest.fixture
def s3_blobs(s3: LocalS3 | GivenS3) -> BlobSettings:
    """A place of this test's own in the session's bucket."""
    return s3.settings(prefix=f"{uuid.uuid4().hex}/")


@pytest.fixture
def outside_environment(
    postgres_database: DatabaseSettings, kafka: Broker, s3_blobs: BlobSettings
) -> dict[str, str]:
    """What tells a process to use the servers of this session, in places of this test's own."""
    secure = isinstance(kafka, LocalKafka)
    bus = kafka.settings("SASL_SSL" if secure else "PLAINTEXT", topic_prefix=f"t{next(_numbers)}.")
    return as_environment(postgres_database) | as_environment(bus) | as_environment(s3_blobs)


@pytest.fixture(params=["embedded", "outside"])
def halves(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Which half of every pair the settings choose in this test: its promises hold on both."""
    half: str = request.param
    if half == "outside":
        for name, value in request.getfixturevalue("outside_environment").items():
            monkeypatch.setenv(name, value)
    return half


@pytest.fixture
def disks(halves: str, request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Iterator[Path]]:
    """Every file that a test's halves have written, and what other tests have written beside it."""

    def files() -> Iterator[Path]:
        yield from (path for path in tmp_path.rglob("*") if path.is_file())
        if halves == "outside":
            data = request.getfixturevalue("postgres").data
            yield from (path for path in data.rglob("*") if path.is_file())
            # The rest of a partition is an index of offsets, 10 MB of holes.
            yield from getattr(request.getfixturevalue("kafka"), "directory", tmp_path).rglob("*.log")
            place = getattr(request.getfixturevalue("s3"), "directory", tmp_path)
            yield from (path for path in place.rglob("*") if path.is_file())

    return files
