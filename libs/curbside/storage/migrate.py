"""Each service has its own Alembic tree (`services/curbside_<name>/migrations`) and database."""

from __future__ import annotations

import importlib
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from types import ModuleType

from alembic import command, context
from alembic.config import Config
from alembic.operations import Operations
from filelock import FileLock
from sqlalchemy import MetaData, create_engine, pool

from curbside.storage.database import translated
from curbside.storage.directories import private_directory
from curbside.storage.tables import service_metadata


def sync_url(url: str) -> str:
    """The blocking driver's URL for the same database: migrations run before any loop does."""
    return url.replace("+aiosqlite", "")


def migrate(package: str, url: str) -> None:
    """Bring the database at `url` to the newest revision of `package`'s tree. Safe to run at once
    from several processes, and again. Raises UnusableDirectory, StorageFull or Unavailable."""
    service = package.removeprefix("curbside").lstrip("._")
    lock: AbstractContextManager[object] = nullcontext()
    if url.startswith("sqlite"):
        path = Path(url.split("///", 1)[1])
        private_directory(path.parent)
        lock = FileLock(path.with_suffix(".migrate.lock"))
    with lock, translated(service):
        command.upgrade(alembic_config(package, url), "head")


def alembic_config(package: str, url: str) -> Config:
    module = importlib.import_module(package)
    config = Config()
    config.set_main_option("script_location", str(Path(str(module.__file__)).parent / "migrations"))
    config.set_main_option("sqlalchemy.url", sync_url(url).replace("%", "%%"))
    return config


def run_environment(metadata: MetaData) -> None:
    """The body of every tree's `env.py`."""
    url = context.config.get_main_option("sqlalchemy.url")
    assert url is not None
    engine = create_engine(url, poolclass=pool.NullPool)
    with engine.connect() as connection:
        context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
        with context.begin_transaction():
            context.run_migrations()
    engine.dispose()


def create_platform_tables(op: Operations | ModuleType) -> None:
    """Inbox, outbox and audit, for the first revision of a service's tree."""
    service_metadata().create_all(op.get_bind())
