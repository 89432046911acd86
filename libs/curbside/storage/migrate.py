"""Each service has its own Alembic tree (`services/curbside_<name>/migrations`) and database."""

from __future__ import annotations

import importlib
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from types import ModuleType
from typing import Final

from alembic import command, context
from alembic.config import Config
from alembic.operations import Operations
from filelock import FileLock
from sqlalchemy import MetaData, create_engine, pool, text
from sqlalchemy.exc import OperationalError

from curbside.storage.database import translated
from curbside.storage.directories import private_directory
from curbside.storage.keys import KeyRing
from curbside.storage.sqlite import sync_url
from curbside.storage.tables import service_metadata

# A revision waits so long for a table that a transaction uses, and readers queue behind it meanwhile.
_LOCK_MILLISECONDS: Final = 2_000
_ATTEMPTS: Final = 20
_LOCK_NOT_AVAILABLE: Final = "55P03"  # https://www.postgresql.org/docs/15/errcodes-appendix.html
_RING: Final = "curbside.ring"  # among the attributes of Alembic's configuration


def migrate(package: str, url: str, ring: KeyRing | None = None) -> None:
    """Bring the database at `url` to the newest revision of `package`'s tree. Safe to run at once
    from several processes, and again. With `ring` a revision seals what an earlier release kept in the clear.

    Raises UnusableDirectory, StorageFull, Unavailable, DatabaseRefused, or MissingKey."""
    service = package.removeprefix("curbside").lstrip("._")
    lock: AbstractContextManager[object] = nullcontext()
    if url.startswith("sqlite"):
        path = Path(url.split("///", 1)[1])
        private_directory(path.parent)
        lock = FileLock(path.with_suffix(".migrate.lock"))
    with lock, translated(service, starting=True):
        command.upgrade(alembic_config(package, url, ring), "head")


def alembic_config(package: str, url: str, ring: KeyRing | None = None) -> Config:
    module = importlib.import_module(package)
    config = Config()
    config.set_main_option("script_location", str(Path(str(module.__file__)).parent / "migrations"))
    config.set_main_option("sqlalchemy.url", sync_url(url).replace("%", "%%"))
    config.attributes[_RING] = ring
    return config


def ring_of(op: Operations | ModuleType) -> KeyRing:
    """The keys that a revision seals or opens rows with. A table without rows needs none."""
    config = op.get_context().config
    ring = config.attributes[_RING] if config is not None else None
    if not isinstance(ring, KeyRing):
        raise TypeError("there are rows to be sealed or opened: migrate with the installation's key ring")
    return ring


def run_environment(metadata: MetaData) -> None:
    """The body of every tree's `env.py`.

    Migrations run while the service answers. In PostgreSQL each revision is a transaction of its own, one
    process migrates at a time, and a statement that cannot have its lock soon gives up rather than make every
    reader queue behind it: it is tried again.
    """
    url = context.config.get_main_option("sqlalchemy.url")
    assert url is not None
    # An error's text may be shown, and a revision may write what is sealed.
    engine = create_engine(url, poolclass=pool.NullPool, hide_parameters=True)
    with engine.connect() as connection:
        postgres = engine.dialect.name == "postgresql"
        if postgres:
            # Of the session, not of a transaction: it spans the revisions, and ends with the connection.
            # A revision may take long, and whoever comes second waits for the first.
            connection.execute(text("SET statement_timeout = 0"))
            connection.execute(text("SET lock_timeout = 0"))
            connection.execute(
                text("SELECT pg_advisory_lock(hashtext('curbside migrate'), hashtext(current_schema()))")
            )
            connection.execute(text(f"SET lock_timeout = {_LOCK_MILLISECONDS:d}"))
            connection.commit()
        context.configure(
            connection=connection,
            target_metadata=metadata,
            render_as_batch=True,
            transaction_per_migration=postgres,
        )
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                with context.begin_transaction():
                    context.run_migrations()
            except OperationalError as error:
                if getattr(error.orig, "sqlstate", None) != _LOCK_NOT_AVAILABLE or attempt == _ATTEMPTS:
                    raise
            else:
                break
    engine.dispose()


def create_platform_tables(op: Operations | ModuleType) -> None:
    """Inbox, outbox and audit, for the first revision of a service's tree."""
    service_metadata().create_all(op.get_bind())
