"""One database per service: a handler's effects, its inbox mark, its outbox events and its audit
records commit in one transaction."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, MetaData, event, insert, select, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine

from curbside import audit
from curbside.contracts.events import Event, encode
from curbside.errors import StorageFull, Unavailable
from curbside.storage.keys import KeyRing
from curbside.storage.wal import write_ahead
from curbside.telemetry.tracing import current_trace_parent


class Transaction:
    """An open transaction of one service's database."""

    def __init__(self, session: AsyncSession, database: Database) -> None:
        self.session = session
        self._database = database

    async def publish(self, happened: Event) -> None:
        """Put `happened` into the outbox; the relay publishes it after the commit."""
        traced = replace(happened, trace_parent=happened.trace_parent or current_trace_parent())
        await self.session.execute(
            insert(self._database.metadata.tables["outbox"]).values(
                event_id=traced.event_id,
                topic=traced.topic.name,
                key=traced.key,
                value=encode(traced),
                committed_at=datetime.now(UTC),
            )
        )

    async def first_time(self, handled: Event, group: str) -> bool:
        """Mark `handled` in the inbox; False where this group handled it before."""
        inbox = self._database.metadata.tables["inbox"]
        seen = await self.session.execute(
            select(inbox.c.event_id).where(inbox.c.event_id == handled.event_id, inbox.c.group == group)
        )
        if seen.first() is not None:
            return False
        await self.session.execute(
            insert(inbox).values(event_id=handled.event_id, group=group, handled_at=datetime.now(UTC))
        )
        return True

    async def record(
        self, *, actor: str, tenant: str, action: str, target: str, details: Mapping[str, Any] | None = None
    ) -> None:
        """Append to this service's audit chain, in this transaction."""
        await audit.append(
            self.session,
            self._database.metadata,
            self._database.ring,
            writer=self._database.service,
            actor=actor,
            tenant=tenant,
            action=action,
            target=target,
            details=details,
        )


class Database:
    """The database of `service` at `url`. Writers are serialised: SQLite allows one at a time."""

    def __init__(self, service: str, url: str, metadata: MetaData, ring: KeyRing) -> None:
        self.service = service
        self.url = url
        self.metadata = metadata
        self.ring = ring
        self.committed = asyncio.Event()  # set after each write; the relay clears it
        self._engine = _engine(url)

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Transaction]:
        """A read-write transaction: commits when the block ends, rolls back when it raises."""
        with translated(self.service):
            async with AsyncSession(self._engine, expire_on_commit=False) as session, session.begin():
                yield Transaction(session, self)
        self.committed.set()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncSession]:
        """A consistent snapshot; it takes no write lock."""
        with translated(self.service):
            engine = self._engine.execution_options(curbside_read_only=True)
            async with AsyncSession(engine, expire_on_commit=False) as session, session.begin():
                yield session

    async def verify_audit(self) -> tuple[int, audit.Broken | None]:
        async with self.read() as session:
            return await audit.verify(session, self.metadata, self.ring, writer=self.service)

    async def check(self) -> None:
        """Raise Unavailable where the database does not answer."""
        async with self.read() as session:
            await session.execute(text("SELECT 1"))

    async def close(self) -> None:
        await self._engine.dispose()


def sqlite_url(data: Path, service: str) -> str:
    return f"sqlite+aiosqlite:///{data / f'{service}.db'}"


def _engine(url: str) -> AsyncEngine:
    engine = create_async_engine(url)
    if engine.dialect.name == "sqlite":
        event.listen(engine.sync_engine, "connect", _prepare_sqlite)
        event.listen(engine.sync_engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _: object) -> None:
    # We say BEGIN ourselves: the driver's implicit one would come too late for a snapshot.
    connection.isolation_level = None
    cursor = connection.cursor()
    write_ahead(cursor)  # acknowledged means on the disk
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute("PRAGMA busy_timeout = 30000")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    read_only = connection.get_execution_options().get("curbside_read_only", False)
    connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")


class translated:  # noqa: N801  (a context manager that reads as a word)
    """Turn a driver's error into one that says what to do; its text may quote parameters, so it is cut."""

    def __init__(self, service: str) -> None:
        self._service = service

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, frames: object) -> None:
        if isinstance(error, OperationalError):
            cause = str(error.orig)
            if "disk is full" in cause or "disk I/O" in cause:
                raise StorageFull(
                    f"the database of {self._service} cannot grow: its disk is full", mend="Free space on it."
                ) from None
            raise Unavailable(
                f"the database of {self._service} does not answer",
                mend="Check that it runs, is migrated (curbside migrate) and is not locked.",
            ) from None
