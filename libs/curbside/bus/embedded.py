"""The embedded durable log: the bus of one machine, in one SQLite file.

Every process of the machine opens the same file. An append commits with an fsync before it returns.
A group reads a topic in one process at a time, held by a file lock that the kernel drops when its
process dies, however it dies.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import sqlite3
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from filelock import FileLock, Timeout

from curbside.bus.delivery import DEAD_LETTER_HEADERS, Delivery
from curbside.bus.growth import Growth, Place
from curbside.bus.protocol import Record, Subscription, check_sizes
from curbside.contracts.topics import DEAD_LETTER_SUFFIX
from curbside.errors import Unavailable
from curbside.settings import BusSettings
from curbside.storage.directories import full_disk, private_directory
from curbside.storage.wal import write_ahead
from curbside.telemetry.metrics import LAG

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    topic TEXT NOT NULL,
    partition INTEGER NOT NULL,
    key TEXT NOT NULL,
    value BLOB NOT NULL,
    headers TEXT NOT NULL,
    appended_at REAL NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS messages_by_partition ON messages (topic, partition, id);
CREATE TABLE IF NOT EXISTS positions (
    "group" TEXT NOT NULL,
    topic TEXT NOT NULL,
    partition INTEGER NOT NULL,
    id INTEGER NOT NULL,
    PRIMARY KEY ("group", topic, partition)
) STRICT;
"""
_INSERT: Final = (
    "INSERT INTO messages (topic, partition, key, value, headers, appended_at) VALUES (?, ?, ?, ?, ?, ?)"
)
_BATCH: Final = 64
# A backlog of 100,000 records takes 10 ms to count, and metrics are scraped every 15 s or so.
_LAG_INTERVAL: Final = timedelta(seconds=1)
ResultT = TypeVar("ResultT")


@dataclass(frozen=True)
class _Grown:
    """The id of the newest record, and of each place's newest among those that are new."""

    newest: int
    places: Mapping[Place, int]


class EmbeddedBus:
    """The `Bus` protocol over one SQLite file at `path`, shared by any number of processes."""

    def __init__(self, path: Path, settings: BusSettings | None = None) -> None:
        self._path = path
        self._settings = settings or BusSettings()
        # One thread owns the connection: SQLite serialises writers anyway.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="bus")
        self._connection: sqlite3.Connection | None = None
        self._growth = Growth()
        self._newest = 0  # id of the last record that was looked at for growth
        self._partitions = 0  # read from the file when it is opened
        self._watcher: asyncio.Task[None] | None = None

    async def publish(self, records: Sequence[Record]) -> None:
        check_sizes(records)
        if records:

            def append(db: sqlite3.Connection) -> _Grown:
                self._append(db, records)
                return self._grown(db)

            self._announce(await self._run(append))

    async def consume(self, subscription: Subscription) -> None:
        self._watch()
        await self._waiting_for(_newest)
        lock = await self._hold(subscription)
        try:
            delivery = Delivery(subscription, self._settings)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._measure(subscription))
                for partition in range(self._partitions):
                    tasks.create_task(self._consume_partition(subscription, partition, delivery))
        finally:
            lock.release()

    async def replay(self, topic: str) -> int:
        count = await self._run(lambda db: self._replay(db, topic))
        self._announce(await self._run(self._grown))
        return count

    async def lag(self, topic: str, group: str) -> int:
        return await self._run(lambda db: self._lag(db, topic, group))

    async def dead_letters(self, topic: str) -> int:
        return await self._run(
            lambda db: int(
                db.execute(
                    "SELECT count(*) FROM messages WHERE topic = ?", (topic + DEAD_LETTER_SUFFIX,)
                ).fetchone()[0]
            )
        )

    async def newest(self) -> int:
        """The id of the record that was appended last; 0 in an empty log."""
        return await self._run(_newest)

    async def stored(self, after: int, limit: int) -> list[tuple[int, Record]]:
        """Up to `limit` records behind the id `after`, of every topic, in the order they were appended."""

        def read(db: sqlite3.Connection) -> list[tuple[int, Record]]:
            rows = db.execute(
                "SELECT id, topic, key, value, headers FROM messages WHERE id > ? ORDER BY id LIMIT ?",
                (after, limit),
            )
            return [
                (id, Record(topic, key, value, json.loads(headers)))
                for id, topic, key, value, headers in rows
            ]

        return await self._run(read)

    async def fingerprint(self, id: int) -> str | None:
        """A hash of the record `id` and of when it was appended: no record of another log has the same. None
        where it is not there."""

        def read(db: sqlite3.Connection) -> str | None:
            row = db.execute(
                "SELECT topic, key, hex(value), headers, appended_at FROM messages WHERE id = ?", (id,)
            ).fetchone()
            return None if row is None else hashlib.sha256(json.dumps(row).encode()).hexdigest()

        return await self._run(read)

    async def topics(self) -> list[str]:
        """The topics that have a record, dead letters among them."""
        # From one to the next by the index: the log is not read.
        return await self._run(
            lambda db: [
                topic
                for (topic,) in db.execute(
                    "WITH RECURSIVE found(topic) AS (SELECT min(topic) FROM messages UNION ALL "
                    "SELECT (SELECT min(topic) FROM messages WHERE topic > found.topic) FROM found "
                    "WHERE found.topic IS NOT NULL) SELECT topic FROM found WHERE topic IS NOT NULL"
                )
            ]
        )

    async def check(self) -> None:
        await self._run(_newest)

    async def close(self) -> None:
        if self._watcher is not None:
            self._watcher.cancel()
            await asyncio.gather(self._watcher, return_exceptions=True)
        if self._connection is not None:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._connection.close)
        self._thread.shutdown()

    async def _consume_partition(
        self, subscription: Subscription, partition: int, delivery: Delivery
    ) -> None:
        topic, group = subscription.topic.name, subscription.group
        limit = subscription.batch_size if subscription.handle_batch is not None else _BATCH

        async def finish(position: int, dead: Record | None) -> None:
            await self._waiting_for(
                partial(self._finish, topic=topic, group=group, partition=partition, id=position, dead=dead)
            )

        while True:
            seen = self._growth.newest((topic, partition))
            batch = await self._waiting_for(lambda db: self._fetch(db, topic, group, partition, limit))
            await delivery.in_order(batch, finish=finish)
            if not batch:
                await self._growth.past((topic, partition), seen)

    async def _measure(self, subscription: Subscription) -> None:
        """Show how far the group is behind. Apart from its reading, which would count all of its partitions
        again for each that has grown."""
        topic, group = subscription.topic.name, subscription.group
        while True:
            lag = await self._waiting_for(lambda db: self._lag(db, topic, group))
            LAG.labels(topic=topic, group=group).set(lag)
            await asyncio.sleep(_LAG_INTERVAL.total_seconds())

    async def _waiting_for(self, work: Callable[[sqlite3.Connection], ResultT]) -> ResultT:
        """A consumer outlives a full disk or a locked file: it asks again until the log answers."""
        while True:
            try:
                return await self._run(work)
            except Unavailable:
                await asyncio.sleep(self._settings.max_backoff.total_seconds() / 30)

    async def _hold(self, subscription: Subscription) -> FileLock:
        directory = self._path.parent / "locks"
        private_directory(directory)
        lock = FileLock(
            directory / f"{subscription.group}@{subscription.topic.name}.lock", thread_local=False
        )
        while True:
            try:
                lock.acquire(timeout=0)
            except Timeout:
                await asyncio.sleep(self._settings.poll_interval.total_seconds())
            else:
                return lock

    def _watch(self) -> None:
        if self._watcher is None or self._watcher.done():
            self._watcher = asyncio.create_task(self._poll(), name="bus-watcher")

    async def _poll(self) -> None:
        """See what other processes append: one cheap query for all subscriptions of this process."""
        while True:
            self._announce(await self._waiting_for(self._grown))
            await asyncio.sleep(self._settings.poll_interval.total_seconds())

    def _announce(self, grown: _Grown) -> None:
        self._newest = max(self._newest, grown.newest)
        self._growth.grew(grown.places)

    async def _run(self, work: Callable[[sqlite3.Connection], ResultT]) -> ResultT:
        def call() -> ResultT:
            try:
                return work(self._open())
            except sqlite3.OperationalError as error:
                if "full" in str(error) or "disk I/O" in str(error):
                    raise full_disk(self._path.parent) from error
                raise Unavailable(
                    f"the event log {str(self._path)!r} does not answer: {error}",
                    mend="Check that the data directory is mounted and writable.",
                ) from error

        return await asyncio.get_running_loop().run_in_executor(self._thread, call)

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            private_directory(self._path.parent)
            # 30 s: a writer holds the lock for milliseconds; only a stalled disk takes longer.
            connection = sqlite3.connect(
                self._path, timeout=30, isolation_level=None, check_same_thread=False
            )
            write_ahead(connection)  # an append is durable when it returns
            connection.executescript(_SCHEMA)
            # The partition of a key must never change, so the count is fixed when the file is made.
            (made_with,) = connection.execute("PRAGMA user_version").fetchone()
            if not made_with:
                connection.execute(f"PRAGMA user_version = {self._settings.partitions:d}")
            self._partitions = made_with or self._settings.partitions
            # Whoever consumes looks at what is there before waiting for more.
            self._newest = _newest(connection)
            self._connection = connection
        return self._connection

    def _append(self, db: sqlite3.Connection, records: Sequence[Record]) -> None:
        with _transaction(db):
            now = time.time()
            db.executemany(
                _INSERT,
                [
                    (r.topic, self._partition(r.key), r.key, r.value, json.dumps(dict(r.headers)), now)
                    for r in records
                ],
            )

    def _grown(self, db: sqlite3.Connection) -> _Grown:
        """What was appended since this was last announced, by whichever process."""
        newest = _newest(db)
        if newest <= self._newest:
            return _Grown(newest, {})
        rows = db.execute(
            "SELECT topic, partition, max(id) FROM messages WHERE id > ? GROUP BY topic, partition",
            (self._newest,),
        )
        return _Grown(newest, {(topic, partition): id for topic, partition, id in rows})

    def _partition(self, key: str) -> int:
        return zlib.crc32(key.encode()) % self._partitions

    def _fetch(
        self, db: sqlite3.Connection, topic: str, group: str, partition: int, limit: int
    ) -> list[tuple[int, Record]]:
        rows = db.execute(
            "SELECT id, key, value, headers FROM messages "
            "WHERE topic = ? AND partition = ? AND id > coalesce((SELECT id FROM positions "
            'WHERE "group" = ? AND topic = ? AND partition = ?), 0) ORDER BY id LIMIT ?',
            (topic, partition, group, topic, partition, limit),
        ).fetchall()
        return [(id, Record(topic, key, value, json.loads(headers))) for id, key, value, headers in rows]

    def _lag(self, db: sqlite3.Connection, topic: str, group: str) -> int:
        # Partition by partition: then the index leads to the first unfinished record, and what the group has
        # finished, which is nearly all there is, is never looked at.
        return sum(
            db.execute(
                "SELECT count(*) FROM messages WHERE topic = ? AND partition = ? AND id > coalesce("
                '(SELECT id FROM positions WHERE "group" = ? AND topic = ? AND partition = ?), 0)',
                (topic, partition, group, topic, partition),
            ).fetchone()[0]
            for partition in range(self._partitions)
        )

    def _finish(
        self,
        db: sqlite3.Connection,
        *,
        topic: str,
        group: str,
        partition: int,
        id: int,
        dead: Record | None,
    ) -> None:
        with _transaction(db):
            if dead is not None:
                db.execute(
                    _INSERT,
                    (
                        dead.topic,
                        partition,
                        dead.key,
                        dead.value,
                        json.dumps(dict(dead.headers)),
                        time.time(),
                    ),
                )
            db.execute(
                'INSERT INTO positions ("group", topic, partition, id) VALUES (?, ?, ?, ?) '
                'ON CONFLICT ("group", topic, partition) DO UPDATE SET id = excluded.id',
                (group, topic, partition, id),
            )

    def _replay(self, db: sqlite3.Connection, topic: str) -> int:
        with _transaction(db):
            dlq = topic + DEAD_LETTER_SUFFIX
            db.execute(
                "INSERT INTO messages (topic, partition, key, value, headers, appended_at) "
                "SELECT ?, partition, key, value, json_remove(headers, ?, ?, ?, ?, ?), ? "
                "FROM messages WHERE topic = ? ORDER BY id",
                (topic, *(f'$."{header}"' for header in DEAD_LETTER_HEADERS), time.time(), dlq),
            )
            return db.execute("DELETE FROM messages WHERE topic = ?", (dlq,)).rowcount


def _newest(db: sqlite3.Connection) -> int:
    # sqlite_sequence survives deletes, so a replay that empties a DLQ never moves it back.
    row = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'messages'").fetchone()
    return int(row[0]) if row else 0


class _transaction:  # noqa: N801  (a context manager that reads as a word)
    """BEGIN IMMEDIATE … COMMIT, or ROLLBACK where the block raises."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __enter__(self) -> None:
        self._db.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: type[BaseException] | None, error: object, frames: object) -> None:
        try:
            if kind is None:
                self._db.execute("COMMIT")
        finally:
            # A full disk makes SQLite roll back by itself: a second ROLLBACK would fail, and its error would
            # hide that the disk is full. A COMMIT that fails leaves the transaction open.
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
