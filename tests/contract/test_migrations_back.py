"""What a migration made, its downgrade takes away again, on SQLite and on PostgreSQL."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine

from curbside.runtime.services import load_package
from curbside.settings import Profile
from curbside.storage.migrate import alembic_config, sync_url
from curbside.storage.postgres import owner_url


@pytest.mark.parametrize("half", ["sqlite", "postgres"])
@pytest.mark.parametrize("service", ["ingestion", "deidentification", "datasets"])
def test_the_newest_schema_is_there_again_after_going_back(
    service: str, half: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = f"sqlite:///{tmp_path / 'back.db'}"
    if half == "postgres":
        settings = request.getfixturevalue("postgres_database")
        url = owner_url(settings, Profile.DEVELOPMENT, service).render_as_string(hide_password=False)
    config = alembic_config(f"curbside_{service}", url)
    command.upgrade(config, "head")
    command.downgrade(config, "0001")
    command.upgrade(config, "head")
    engine = create_engine(sync_url(url))
    with engine.connect() as connection:
        assert not compare_metadata(MigrationContext.configure(connection), load_package(service).metadata)
    engine.dispose()
