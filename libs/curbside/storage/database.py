"""One database per service: a handler's effects, its inbox mark, its outbox events and its audit
records commit in one transaction."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeVar

from sqlalchemy import (
    Connection,
    MetaData,
    String,
    Table,
    bindparam,
    func,
    select,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import Session

from curbside import audit
from curbside.contracts.events import Event
from curbside.errors import BadInput, StorageFull, Unavailable
from curbside.settings import DatabaseSettings
from curbside.storage import writing
from curbside.storage.keys import KeyRing
from curbside.storage.postgres import DatabaseRefused, refusal
from curbside.storage.sqlite import SqliteThreads, prepare, to_json
from curbside.storage.writing import Writer, Writing, lock_number, lock_numbers, take_turns

_TRY_LOCK: Final = text("SELECT pg_try_advisory_lock(:number)")
_ALONE_POLL: Final = 1.0  # seconds
_CHECK_ACCESS: Final = "Check CURBSIDE_DATABASE__URL and CURBSIDE_DATABASE__PASSWORD_DIR,"
_LOCK_BOTH: Final = text(
    "SELECT count(pg_advisory_xact_lock_shared(:shared)) UNION ALL "
    "SELECT count(pg_advisory_xact_lock(n)) FROM unnest(cast(:numbers AS bigint[])) AS n"
)
# While another release's pods migrate or a standby takes over, and passing by itself: read-only, no such
# table, column or schema, a statement that was prepared for another table.
_OTHER_SCHEMA: Final = frozenset({"25006", "42P01", "42703", "3F000", "0A000"})
_DISK_FULL: Final = "53100"  # https://www.postgresql.org/docs/15/errcodes-appendix.html


ResultT = TypeVar("ResultT")


class NoNul(BadInput):
    code = "input.nul"


class Transaction:
    """An open transaction of one service's database, with a session.

    What it publishes and records for the audit is written when the block ends, before the commit.
    """

    def __init__(self, session: AsyncSession, database: Database) -> None:
        self.session = session
        self._database = database
        self._writing = Writing(database.writer)

    async def run(self, work: Callable[[Writing], ResultT]) -> ResultT:
        """What `work` returns, which blocks, in this transaction."""

        def blocking(session: Session) -> ResultT:
            self._writing.connect(session.connection())
            return work(self._writing)

        return await self.session.run_sync(blocking)

    async def publish(self, *happened: Event) -> None:
        """As `Writing.publish`."""
        self._writing.publish(*happened)

    async def first_time(self, handled: Event, group: str) -> bool:
        """Mark `handled` in the inbox; False where this group handled it before."""
        return bool(await self.first_times([handled], group))

    async def first_times(self, handled: Sequence[Event], group: str) -> list[Event]:
        """Mark `handled` in the inbox; return those that this group had not handled before, each once.

        Another transaction that marks the same event at this moment is waited for.
        """
        if not handled:
            return []
        fresh: dict[str, Event] = {}
        for each in handled:
            fresh.setdefault(each.event_id, each)
        # In one order everywhere, so that two transactions with the same events do not wait for each other.
        names, now = sorted(fresh), datetime.now(UTC)
        inbox = self._database.metadata.tables["inbox"]
        mark = self._database.insert_new(inbox)
        if self._database.is_postgres:
            # An array instead of a row of parameters for each: a quarter of the time.
            given = func.unnest(bindparam("names", type_=postgresql.ARRAY(String))).table_valued("name")
            values = select(
                given.render_derived().c.name,
                bindparam("group", type_=String),
                bindparam("now", type_=inbox.c.handled_at.type),
            )
            marking = mark.from_select(["event_id", "group", "handled_at"], values).returning(
                inbox.c.event_id
            )
            found = await self.session.execute(marking, {"names": names, "group": group, "now": now})
        else:
            marks = [{"event_id": name, "group": group, "handled_at": now} for name in names]
            found = await self.session.execute(mark.returning(inbox.c.event_id), marks)
        marked = set(found.scalars())
        return [event for name, event in fresh.items() if name in marked]

    async def add(self, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert `rows`, which all have the same columns, in this order."""
        if rows:
            await self.session.run_sync(lambda session: writing.add(session.connection(), table, rows))

    async def record(
        self, *, actor: str, tenant: str, action: str, target: str, details: Mapping[str, Any] | None = None
    ) -> None:
        """Append to this service's audit chain, in this transaction."""
        self._writing.record(actor=actor, tenant=tenant, action=action, target=target, details=details)

    async def finish(self) -> int:
        """Write what was published and recorded; how many events that were. `Database.begin` calls it, once,
        before the commit."""
        return await self.run(Writing.finish)


class Database:
    """The database of `service` at `url`: an SQLite file, or a schema of PostgreSQL.

    Write transactions take turns, because handlers read before they write and rely on what they read. SQLite
    has one writer at a time anyway. In PostgreSQL `begin()` waits for every other writer of the service, and
    `begin("a", "b")` only for those that name "a" or "b" too, or name nothing.
    """

    def __init__(
        self,
        service: str,
        url: str,
        metadata: MetaData,
        ring: KeyRing,
        settings: DatabaseSettings | None = None,
    ) -> None:
        self.service = service
        self.url = url
        self.metadata = metadata
        self.ring = ring
        self.committed = asyncio.Event()  # set when an event was published; the relay clears it
        settings = settings or DatabaseSettings()
        self._engine = _engine(url, settings)
        # Requests that take every connection must not keep the relay from one: its outbox would only grow.
        beside = settings.model_copy(update={"pool_size": 1, "max_overflow": 1})
        self._beside = self._engine if url.startswith("sqlite") else _engine(url, beside)
        self.is_postgres = self._engine.dialect.name == "postgresql"
        # SQLite's own waiting sleeps, up to 100 ms at a time, and lets who came last go first.
        self._turn: AbstractAsyncContextManager[Any] = nullcontext() if self.is_postgres else asyncio.Lock()
        self.writer = Writer(service, metadata, ring)
        self._threads: SqliteThreads | None = None if self.is_postgres else SqliteThreads(url, service)

    @asynccontextmanager
    async def begin(self, *turns: str) -> AsyncIterator[Transaction]:
        """A read-write transaction: commits when the block ends, rolls back when it raises.

        `turns` names what it reads before it writes (a subject, a report); without one it is everything.
        """
        with translated(self.service):
            async with (
                self._turn,
                AsyncSession(self._engine, expire_on_commit=False) as session,
                session.begin(),
            ):
                if turns:
                    await self._share_turns(session, [f"{self.service}: {turn}" for turn in turns])
                else:
                    await self.take_turns(session, [self.service])
                transaction = Transaction(session, self)
                yield transaction
                published = await transaction.finish()
        if published:
            self.committed.set()

    async def transact(self, work: Callable[[Writing], ResultT], *turns: str) -> ResultT:
        """What `work` returns, which blocks, in a read-write transaction as that of `begin`.

        With SQLite it runs in a thread in one go: statement by statement, each costs the loop more than the
        database.
        """
        if self._threads is None:
            async with self.begin(*turns) as transaction:
                return await transaction.run(work)
        with translated(self.service):
            async with self._turn:
                done: tuple[ResultT, int] = await self._threads.run(self._threads.write, work, self.writer)
        result, published = done
        if published:
            self.committed.set()
        return result

    async def look(self, work: Callable[[Connection], ResultT]) -> ResultT:
        """What `work` returns, which blocks, on a consistent snapshot; as `transact` for reading."""
        if self._threads is None:
            async with self.read() as session:
                return await session.run_sync(lambda blocking: work(blocking.connection()))
        with translated(self.service):
            seen: ResultT = await self._threads.run(self._threads.read, work)
        return seen

    @asynccontextmanager
    async def without_turn(self) -> AsyncIterator[AsyncSession]:
        """A read-write transaction that waits for no other: for what relies on row locks alone.

        In PostgreSQL it has a connection of its own, however busy the others are.
        """
        with translated(self.service):
            async with (
                self._turn,
                AsyncSession(self._beside, expire_on_commit=False) as session,
                session.begin(),
            ):
                yield session

    @asynccontextmanager
    async def alone(self, name: str) -> AsyncIterator[None]:
        """Work that one process of the service does at a time, in whichever pod: `name` is waited for.

        An SQLite file has one process that works on it. Whoever loses its connection also loses its place, so
        what is done must bear being done twice.
        """
        if not self.is_postgres:
            yield
            return
        number = lock_number(f"{self.service} alone: {name}")
        with translated(self.service):
            async with self._engine.connect() as connection:
                held = await connection.execution_options(isolation_level="AUTOCOMMIT")
                while not (await held.execute(_TRY_LOCK, {"number": number})).scalar_one():  # noqa: ASYNC110
                    await asyncio.sleep(_ALONE_POLL)  # whoever holds it is in another process
                try:
                    yield
                finally:
                    # A pooled connection would keep it.
                    await connection.invalidate()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncSession]:
        """A consistent snapshot; it takes no write lock."""
        with translated(self.service):
            options: dict[str, Any] = {"curbside_read_only": True}
            if self.is_postgres:
                options |= {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
            engine = self._engine.execution_options(**options)
            async with AsyncSession(engine, expire_on_commit=False) as session, session.begin():
                yield session

    async def take_turns(self, session: AsyncSession, names: Sequence[str]) -> None:
        """Wait until no other transaction holds one of `names`, and hold them until this one ends."""
        if self.is_postgres:
            await session.run_sync(lambda blocking: take_turns(blocking.connection(), names))

    async def _share_turns(self, session: AsyncSession, names: Sequence[str]) -> None:
        """Likewise, beside others of the service that name other turns."""
        if self.is_postgres:
            shared = lock_number(self.service)
            await session.execute(_LOCK_BOTH, {"shared": shared, "numbers": lock_numbers(names)})

    def insert_new(self, table: Table) -> Any:
        """INSERT … ON CONFLICT DO NOTHING, in this database's dialect."""
        dialect = postgresql if self.is_postgres else sqlite
        return dialect.insert(table).on_conflict_do_nothing()

    async def verify_audit(self) -> tuple[int, audit.Broken | None]:
        async with self.read() as session:
            return await audit.verify(session, self.metadata, self.ring, writer=self.service)

    async def check(self) -> None:
        """Raise Unavailable where the database does not answer."""
        async with self.read() as session:
            await session.execute(text("SELECT 1"))

    async def close(self) -> None:
        for engine in {self._engine, self._beside}:
            await engine.dispose()
        if self._threads is not None:
            await asyncio.to_thread(self._threads.close)


def sqlite_url(data: Path, service: str) -> str:
    return f"sqlite+aiosqlite:///{data / f'{service}.db'}"


def _engine(url: str, settings: DatabaseSettings) -> AsyncEngine:
    if not url.startswith("sqlite"):
        return create_async_engine(
            url,
            hide_parameters=True,  # an error's text goes into a log
            json_serializer=to_json,
            pool_size=settings.pool_size,
            max_overflow=settings.max_overflow,
            pool_timeout=settings.pool_timeout.total_seconds(),
            pool_pre_ping=True,  # a server that was restarted costs no request
            pool_use_lifo=True,  # what a burst opened falls idle, and is closed by whatever stands between
        )
    engine = create_async_engine(url, hide_parameters=True, json_serializer=to_json)
    prepare(engine.sync_engine)
    return engine


class translated:  # noqa: N801  (a context manager that reads as a word)
    """Turn a driver's error into one that says what to do; its text may quote parameters, so it is cut.

    A server that refuses us is the operator's to mend where we start; later it is waited for like any other.
    """

    def __init__(self, service: str, *, starting: bool = False) -> None:
        self._service = service
        self._starting = starting

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, frames: object) -> None:
        if isinstance(error, PoolTimeout):
            raise Unavailable(
                f"every connection of {self._service} to its database is busy",
                mend="Ask again; raise CURBSIDE_DATABASE__POOL_SIZE where it stays so.",
            ) from None
        if not isinstance(error, DBAPIError) or isinstance(error, IntegrityError):
            return
        cause, state = str(error.orig), getattr(error.orig, "sqlstate", None) or ""
        if isinstance(error, DataError):
            if "NUL" in cause:  # PostgreSQL keeps none in a text; SQLite finds nothing
                raise NoNul("a value holds a NUL character", mend="Take it out.") from None
            return
        if "disk is full" in cause or "disk I/O" in cause or state == _DISK_FULL:
            raise StorageFull(
                f"the database of {self._service} cannot grow: its disk is full", mend="Free space on it."
            ) from None
        refused = refusal(error.orig)
        if refused is not None:
            says = f"the database refuses {self._service}: {refused}"
            mend = f"{_CHECK_ACCESS} and run curbside provision."
            if self._starting:
                raise DatabaseRefused(f"{says}. {mend}") from None
            raise Unavailable(says, mend=mend) from None
        if state in _OTHER_SCHEMA:
            says = f"the database of {self._service} is not at this release's schema, or read-only"
            mend = "Run curbside migrate, or wait until it has been migrated or has failed over."
            raise (
                DatabaseRefused(f"{says}. {mend}") if self._starting else Unavailable(says, mend=mend)
            ) from None
        if isinstance(error, OperationalError | InterfaceError) or error.connection_invalidated:
            raise Unavailable(
                f"the database of {self._service} does not answer",
                mend="Check that it runs, is migrated (curbside migrate) and is not locked.",
            ) from None
