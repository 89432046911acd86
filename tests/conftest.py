"""Fixtures of every suite. Sessions share what is slow to make; each test has its own directory."""

from __future__ import annotations

import itertools
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from curbside.settings import DatabaseSettings, Profile, RuntimeSettings, set_process_environment
from curbside.storage.keys import KeyRing
from curbside.storage.migrate import migrate
from curbside.storage.postgres import IDENTITY, OWNERS, owner_url, provision
from curbside.testing.servers.postgres import LocalPostgres

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"

# No test may reach a hub; Ray must not kill workers because another job fills the memory.
set_process_environment(HF_HUB_OFFLINE="1", RAY_memory_monitor_refresh_ms="0")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--gpu", action="store_true", help="run the tests marked gpu too, on this machine's GPU")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--gpu"):
        for item in items:
            if item.get_closest_marker("gpu"):
                item.add_marker(pytest.mark.skip(reason="--gpu was not given"))


@pytest.fixture
def ring(tmp_path: Path) -> KeyRing:
    return KeyRing(tmp_path / "keys", Profile.DEVELOPMENT)


@pytest.fixture
def runtime(tmp_path: Path) -> RuntimeSettings:
    return RuntimeSettings(data_dir=tmp_path / "data", min_free_disk_bytes=0)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The real inputs. They are absent only where `../shared` is, which it never is in CI."""
    if not SHARED.is_dir():
        pytest.skip("../shared is absent")
    return SHARED


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


@pytest.fixture(params=["embedded", "outside"])
def halves(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Which half of every pair the settings choose in this test: its promises hold on both."""
    half: str = request.param
    if half == "outside":
        settings: DatabaseSettings = request.getfixturevalue("postgres_database")
        monkeypatch.setenv("CURBSIDE_DATABASE__URL", str(settings.url))
        monkeypatch.setenv("CURBSIDE_DATABASE__PASSWORD_DIR", str(settings.password_dir))
    return half
