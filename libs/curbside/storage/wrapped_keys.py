"""The two halves of where wrapped data keys lie: a file of one machine, and PostgreSQL.

Both are asked from threads, because sealing a blob is: their calls block.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from sqlalchemy import (
    Column,
    ColumnElement,
    Double,
    Engine,
    Executable,
    LargeBinary,
    MetaData,
    Row,
    Table,
    Text,
    any_,
    bindparam,
    create_engine,
    delete,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, insert

from curbside.errors import StorageFull, Unavailable
from curbside.settings import DatabaseSettings
from curbside.storage.database import translated
from curbside.storage.directories import full_disk, private_directory
from curbside.storage.postgres import KEYS_SCHEMA
from curbside.storage.wal import write_ahead
from curbside.storage.zones import Zone

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS data_keys (
    zone TEXT NOT NULL, tenant TEXT NOT NULL, subject TEXT NOT NULL,
    wrapped BLOB NOT NULL, created_at REAL NOT NULL,
    PRIMARY KEY (zone, tenant, subject)
) STRICT;
"""
# As `postgres.provision` makes them: no service may.
_TABLES: Final = MappingProxyType(
    {
        zone: Table(
            zone.value,
            MetaData(schema=KEYS_SCHEMA),
            Column("tenant", Text, primary_key=True),
            Column("subject", Text, primary_key=True),
            Column("wrapped", LargeBinary, nullable=False),
            Column("created_at", Double, nullable=False),
        )
        for zone in Zone
    }
)


class SqliteWrappedKeys:
    """The embedded half: a file at `path`, shared by the processes of one machine."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None

    def find(self, zone: Zone, tenant: str, subject: str) -> bytes | None:
        rows = self._run(
            "SELECT wrapped FROM data_keys WHERE zone = ? AND tenant = ? AND subject = ?",
            (zone.value, tenant, subject),
        )
        return bytes(rows[0][0]) if rows else None

    def keep(self, zone: Zone, tenant: str, subject: str, wrapped: bytes) -> bytes:
        return self.keep_many(zone, tenant, {subject: wrapped})[subject]

    def find_many(self, zone: Zone, tenant: str, subjects: Collection[str]) -> dict[str, bytes]:
        rows = self._run(
            "SELECT subject, wrapped FROM data_keys WHERE zone = ? AND tenant = ? "
            "AND subject IN (SELECT value FROM json_each(?))",
            (zone.value, tenant, json.dumps([*subjects])),
        )
        return {subject: bytes(wrapped) for subject, wrapped in rows}

    def keep_many(self, zone: Zone, tenant: str, wrapped: Mapping[str, bytes]) -> dict[str, bytes]:
        now = time.time()
        with self._lock, self._translated():
            db = self._open()
            db.execute("BEGIN IMMEDIATE")
            with db:  # commits, or rolls back
                db.executemany(
                    "INSERT OR IGNORE INTO data_keys VALUES (?, ?, ?, ?, ?)",
                    [(zone.value, tenant, subject, key, now) for subject, key in wrapped.items()],
                )
        stands = self.find_many(zone, tenant, wrapped.keys())
        if len(stands) != len(wrapped):
            raise Unavailable("the key database did not keep a new data key", mend="Check the disk.")
        return stands

    def replace(self, zone: Zone, tenant: str, subject: str, old: bytes, new: bytes) -> bool:
        return bool(
            self._run(
                "UPDATE data_keys SET wrapped = ? "
                "WHERE zone = ? AND tenant = ? AND subject = ? AND wrapped = ? RETURNING 1",
                (new, zone.value, tenant, subject, old),
            )
        )

    def erase(self, zone: Zone, tenant: str, subject: str) -> bool:
        return bool(
            self._run(
                "DELETE FROM data_keys WHERE zone = ? AND tenant = ? AND subject = ? RETURNING 1",
                (zone.value, tenant, subject),
            )
        )

    def after(self, zone: Zone, place: tuple[str, str], limit: int) -> list[tuple[str, str, bytes]]:
        rows = self._run(
            "SELECT tenant, subject, wrapped FROM data_keys WHERE zone = ? AND (tenant, subject) > (?, ?) "
            "ORDER BY tenant, subject LIMIT ?",
            (zone.value, *place, limit),
        )
        return [(tenant, subject, bytes(wrapped)) for tenant, subject, wrapped in rows]

    def close(self) -> None:
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _run(self, statement: str, values: Sequence[Any]) -> list[Any]:
        with self._lock, self._translated():
            return self._open().execute(statement, values).fetchall()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            raise _storage_error(self._path, error) from error

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            private_directory(self._path.parent)
            db = sqlite3.connect(self._path, timeout=30, isolation_level=None, check_same_thread=False)
            write_ahead(db)  # durable: a key must never be younger than what it encrypts
            db.execute("PRAGMA secure_delete = ON")
            db.executescript(_SCHEMA)
            self._path.chmod(0o600)
            self._connection = db
        return self._connection


class PostgresWrappedKeys:
    """The outside half: a table per zone, which PostgreSQL itself opens only to the zone's services."""

    def __init__(self, url: str, service: str, settings: DatabaseSettings) -> None:
        self._service = service
        self._engine: Engine = create_engine(
            url,
            pool_size=settings.pool_size,
            max_overflow=settings.max_overflow,
            pool_timeout=settings.pool_timeout.total_seconds(),
            pool_pre_ping=True,
            isolation_level="AUTOCOMMIT",
        )

    def find(self, zone: Zone, tenant: str, subject: str) -> bytes | None:
        table = _TABLES[zone]
        rows = self._run(select(table.c.wrapped).where(*_place(table, tenant, subject)))
        return bytes(rows[0].wrapped) if rows else None

    def keep(self, zone: Zone, tenant: str, subject: str, wrapped: bytes) -> bytes:
        return self.keep_many(zone, tenant, {subject: wrapped})[subject]

    def find_many(self, zone: Zone, tenant: str, subjects: Collection[str]) -> dict[str, bytes]:
        table = _TABLES[zone]
        # One parameter, however many there are.
        named = table.c.subject == any_(bindparam("subjects", [*subjects], type_=ARRAY(Text)))
        rows = self._run(select(table.c.subject, table.c.wrapped).where(table.c.tenant == tenant, named))
        return {row.subject: bytes(row.wrapped) for row in rows}

    def keep_many(self, zone: Zone, tenant: str, wrapped: Mapping[str, bytes]) -> dict[str, bytes]:
        now = time.time()
        # In one order everywhere, so that two who insert the same do not wait for each other.
        values = [
            {"tenant": tenant, "subject": subject, "wrapped": wrapped[subject], "created_at": now}
            for subject in sorted(wrapped)
        ]
        self._run(insert(_TABLES[zone]).values(values).on_conflict_do_nothing())
        stands = self.find_many(zone, tenant, wrapped.keys())
        if len(stands) != len(wrapped):
            raise Unavailable("the key database did not keep a new data key", mend="Ask again.")
        return stands

    def replace(self, zone: Zone, tenant: str, subject: str, old: bytes, new: bytes) -> bool:
        table = _TABLES[zone]
        place = (*_place(table, tenant, subject), table.c.wrapped == old)
        return bool(self._run(update(table).where(*place).values(wrapped=new).returning(table.c.tenant)))

    def erase(self, zone: Zone, tenant: str, subject: str) -> bool:
        table = _TABLES[zone]
        return bool(self._run(delete(table).where(*_place(table, tenant, subject)).returning(table.c.tenant)))

    def after(self, zone: Zone, place: tuple[str, str], limit: int) -> list[tuple[str, str, bytes]]:
        table = _TABLES[zone]
        key = tuple_(table.c.tenant, table.c.subject)
        rows = self._run(
            select(table).where(key > tuple_(*place)).order_by(table.c.tenant, table.c.subject).limit(limit)
        )
        return [(row.tenant, row.subject, bytes(row.wrapped)) for row in rows]

    def close(self) -> None:
        self._engine.dispose()

    def _run(self, statement: Executable) -> Sequence[Row[Any]]:
        with translated(self._service), self._engine.connect() as connection:
            result = connection.execute(statement)
            return result.all() if result.returns_rows else ()


def _place(table: Table, tenant: str, subject: str) -> tuple[ColumnElement[bool], ...]:
    return table.c.tenant == tenant, table.c.subject == subject


def _storage_error(path: Path, error: sqlite3.OperationalError) -> Unavailable | StorageFull:
    if "full" in str(error) or "disk I/O" in str(error):
        return full_disk(path.parent)
    return Unavailable(f"{str(path)!r} does not answer: {error}", mend="Check the data directory.")
