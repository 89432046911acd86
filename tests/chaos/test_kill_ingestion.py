"""`kill -9` of ingestion, with every child of it, while sixteen senders post reports of every format: what is
stored is what was acknowledged, each once.

`make chaos ARGS="tests/chaos/test_kill_ingestion.py --seed=7"` does the seventh run again: what is posted and
after how many acknowledgements is killed follow from the seed.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from curbside.settings import Profile, as_environment
from curbside.storage.migrate import migrate
from curbside.storage.postgres import IDENTITY, open_tokens_to_services, owner_url, provision
from curbside.testing.intake.killing import check, post_and_kill
from curbside.testing.servers.postgres import LocalPostgres

RUNS = 3
POSTS = 5_000


@pytest.fixture(scope="module")
def postgres() -> Iterator[LocalPostgres]:
    directory = Path(tempfile.mkdtemp(prefix="curbside-chaos-postgres-"))
    server = LocalPostgres(directory)
    server.start()
    yield server
    server.destroy()
    shutil.rmtree(directory)


@pytest.fixture(params=["embedded", "postgres"])
def half(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """Where the database lies, made ready for ingestion."""
    half: str = request.param
    if half == "postgres":
        server: LocalPostgres = request.getfixturevalue("postgres")
        server.drop_database("ingestion")
        server.create_database("ingestion")
        settings = server.settings("ingestion", server.directory / "passwords")
        provision(settings, Profile.DEVELOPMENT, server.admin_url("ingestion"))
        for owner, package in ((IDENTITY, "curbside.identity"), ("ingestion", "curbside_ingestion")):
            url = owner_url(settings, Profile.DEVELOPMENT, owner)
            migrate(package, url.render_as_string(hide_password=False))
        open_tokens_to_services(settings, Profile.DEVELOPMENT)
        for name, value in as_environment(settings).items():
            monkeypatch.setenv(name, value)
    return half


@pytest.mark.timeout(1_800)
def test_stored_is_what_was_acknowledged_each_once(
    half: str, seed: int, posts: int, pytestconfig: pytest.Config, tmp_path: Path
) -> None:
    kills = int(pytestconfig.getoption("kills"))
    run = post_and_kill(tmp_path, seed, reports=posts, kills=kills)
    print(f"\nseed {seed}, {half}: {run}", flush=True)
    check(run, kills=kills)
