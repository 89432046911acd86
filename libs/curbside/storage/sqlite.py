"""SQLite's half of a database: how a file is opened, and blocking work on it in threads of its own."""

from __future__ import annotations

import asyncio
import contextvars
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

import orjson
from sqlalchemy import Connection, Engine, create_engine, event

from curbside.storage.wal import write_ahead
from curbside.storage.writing import Writer, Writing

ResultT = TypeVar("ResultT")
_THREADS: Final = 2  # SQLite has one writer at a time, and readers that wait for none
# As json: what is no JSON is refused. A dataclass may hold what must not lie in the clear.
_JSON: Final = orjson.OPT_NON_STR_KEYS | orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME


class SqliteThreads:
    """Blocking work on the SQLite file at `url`; who writes has the turn (`Database`)."""

    def __init__(self, url: str, service: str) -> None:
        self._engine = create_engine(
            sync_url(url), hide_parameters=True, json_serializer=to_json, pool_size=_THREADS
        )
        prepare(self._engine)
        self._reading = self._engine.execution_options(curbside_read_only=True)
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix=f"database-{service}")

    async def run(self, call: Callable[..., ResultT], *args: Any) -> ResultT:
        context = contextvars.copy_context()  # the trace goes along
        done = asyncio.get_running_loop().run_in_executor(self._pool, lambda: context.run(call, *args))
        try:
            return await asyncio.shield(done)
        except asyncio.CancelledError:
            await asyncio.wait([done])  # the turn is ours until it has ended
            raise

    def write(self, work: Callable[[Writing], ResultT], writer: Writer) -> tuple[ResultT, int]:
        with self._engine.begin() as connection:
            writing = Writing(writer)
            writing.connect(connection)
            result = work(writing)
            published = writing.finish()
        return result, published

    def read(self, work: Callable[[Connection], ResultT]) -> ResultT:
        with self._reading.begin() as connection:
            return work(connection)

    def close(self) -> None:
        self._pool.shutdown()
        self._engine.dispose()


def sync_url(url: str) -> str:
    """The blocking driver's URL for the same database."""
    return url.replace("+aiosqlite", "")


def to_json(value: object) -> str:
    """What a JSON column holds."""
    try:
        return orjson.dumps(value, option=_JSON).decode()
    except TypeError:  # what only Python's own writes: an integer beyond 64 bits
        return json.dumps(value)


def prepare(engine: Engine) -> None:
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)


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
