"""What a transaction writes, on a blocking connection: rows, and at its end its events and audit records.

`Database.transact` hands one to work that runs in one go; those of `Database.begin` write by it too.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from itertools import chain
from typing import Any, Final

import psycopg
from sqlalchemy import (
    ColumnElement,
    Connection,
    Dialect,
    MetaData,
    Table,
    Text,
    any_,
    bindparam,
    func,
    insert,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.exc import DBAPIError
from sqlalchemy.util import await_only

from curbside import audit
from curbside.bus.protocol import Record, check_sizes
from curbside.contracts.events import Event, encode
from curbside.storage.keys import KeyRing
from curbside.telemetry.tracing import current_trace_parent

# One answer for all locks; unnest keeps their order.
_LOCK: Final = text("SELECT count(pg_advisory_xact_lock(n)) FROM unnest(cast(:numbers AS bigint[])) AS n")
# Fewer rows go by SQLAlchemy's INSERT: COPY asks the server once more, and preparing takes its time.
_FEW: Final = 8
AMONG: Final = "among"
_MOST_PARAMETERS: Final = 32_000  # SQLite takes 32,766: https://sqlite.org/limits.html


@dataclass(frozen=True)
class Writer:
    """Whose transactions these are: a service, its tables, and the keys of its audit chain."""

    service: str
    metadata: MetaData
    ring: KeyRing


class Writing:
    """An open transaction of one service's database, on a blocking `connection`.

    What it publishes and records for the audit is written at its end, before the commit: many rows in one
    statement, and the audit chain's own lock held for the shortest time there is.
    """

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._connection: Connection | None = None
        self._outbox: list[dict[str, Any]] = []
        self._audit: list[audit.Act] = []

    def connect(self, connection: Connection) -> None:
        """From here on it writes to `connection`."""
        self._connection = connection

    @property
    def connection(self) -> Connection:
        assert self._connection is not None, "not connected"
        return self._connection

    def publish(self, *happened: Event) -> None:
        """Put `happened` into the outbox, in this order; the relay publishes them after the commit.

        Raises TooLarge for one that no bus takes: in the outbox it would hold up all behind it.
        """
        now, trace_parent = datetime.now(UTC), current_trace_parent()
        for each in happened:
            traced = (
                each if each.trace_parent or not trace_parent else replace(each, trace_parent=trace_parent)
            )
            record = Record(traced.topic.name, traced.key, encode(traced))
            check_sizes([record])
            self._outbox.append(
                {
                    "event_id": traced.event_id,
                    "topic": record.topic,
                    "key": record.key,
                    "value": record.value,
                    "committed_at": now,
                }
            )

    def record(
        self, *, actor: str, tenant: str, action: str, target: str, details: Mapping[str, Any] | None = None
    ) -> None:
        """Append to this service's audit chain, in this transaction."""
        self._audit.append(audit.Act(actor, tenant, action, target, dict(details or {})))

    def add(self, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert `rows`, which all have the same columns, in this order."""
        add(self.connection, table, rows)

    def finish(self) -> int:
        """Write what was published and recorded, once, before the commit; how many events that were."""
        connection = self.connection
        tables = self._writer.metadata.tables
        add(connection, tables["outbox"], self._outbox)
        if self._audit:
            take_turns(connection, [f"audit of {self._writer.service}"])
            records = audit.continued(
                connection,
                self._writer.metadata,
                self._writer.ring,
                writer=self._writer.service,
                acts=self._audit,
            )
            add(connection, tables["audit"], records)
        return len(self._outbox)


def add(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert `rows` into `table`; they all have the same columns, in one order."""
    if not rows:
        return
    if connection.dialect.name == "sqlite":
        _insert(connection, table, rows)
    elif len(rows) < _FEW:
        connection.execute(insert(table), rows)
    else:
        _copy(connection, table, rows)


def among(dialect: str, column: ColumnElement[str]) -> ColumnElement[bool]:
    """That `column` is one of what `listed` gives for the parameter AMONG: one, for many take longer to write
    down than to look up."""
    if dialect == "postgresql":
        return column == any_(bindparam(AMONG, type_=ARRAY(Text)))
    given = func.json_each(bindparam(AMONG, type_=Text)).table_valued("value")
    return column.in_(select(given.c.value))


def listed(connection: Connection, values: Collection[str]) -> list[str] | str:
    return [*values] if connection.dialect.name == "postgresql" else json.dumps([*values])


def take_turns(connection: Connection, names: Sequence[str]) -> None:
    """Wait until no other transaction holds one of `names`, and hold them until this one ends."""
    if connection.dialect.name == "postgresql":
        connection.execute(_LOCK, {"numbers": lock_numbers(names)})


def lock_numbers(names: Sequence[str]) -> list[int]:
    """In one order everywhere, so that no two wait for each other."""
    return sorted({lock_number(name) for name in names})


def lock_number(name: str) -> int:
    """The 64-bit number of an advisory lock; two names that meet in it only wait for each other."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)


def _insert(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """INSERT `rows` into `table` of SQLite: half of what SQLAlchemy's own insert of many costs."""
    names = tuple(rows[0])
    most = _MOST_PARAMETERS // len(names)
    for start in range(0, len(rows), most):
        _insert_some(connection, table, names, rows[start : start + most])


def _insert_some(
    connection: Connection, table: Table, names: tuple[str, ...], rows: Sequence[Mapping[str, Any]]
) -> None:
    statement, binds = _insertion(table, names, len(rows), connection.dialect)
    # Column by column: a loop for each is half of what one over rows and columns costs.
    columns = zip(*(row.values() for row in rows), strict=True)
    bound = (
        column if bind is None else _bound(column, bind) for column, bind in zip(columns, binds, strict=True)
    )
    connection.exec_driver_sql(statement, tuple(chain.from_iterable(zip(*bound, strict=True))))


def _bound(values: Iterable[Any], bind: Callable[[Any], Any]) -> list[Any]:
    """What `bind` makes of `values`: of a value that the one before was too, the same."""
    bound: list[Any] = []
    last: Any = _bound  # none of the values
    made: Any = None
    for value in values:
        if value is not last:
            last, made = value, bind(value)
        bound.append(made)
    return bound


@lru_cache(maxsize=256)
def _insertion(table: Table, names: tuple[str, ...], rows: int, dialect: Dialect) -> tuple[str, list[Any]]:
    """An INSERT of so many rows of those columns, and what makes each column's values the driver's.

    One statement for all rows: with one for each, the driver would let go of the interpreter and wait for it
    as often.
    """
    columns = [table.c[name] for name in names]
    quoted = dialect.identifier_preparer
    into = ", ".join(quoted.format_column(column) for column in columns)
    marks = f"({', '.join('?' for _ in columns)})"
    binds = [column.type.dialect_impl(dialect).bind_processor(dialect) for column in columns]
    # Names alone are put in; what is stored goes as parameters.
    return f"INSERT INTO {quoted.format_table(table)} ({into}) VALUES {', '.join([marks] * rows)}", binds  # noqa: S608


def _copy(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """COPY `rows` into `table`: a sixth of what INSERT costs us, and a third of what it costs the server."""
    dialect = connection.dialect
    columns = [table.c[name] for name in rows[0]]
    quoted = dialect.identifier_preparer
    names = ", ".join(quoted.format_column(column) for column in columns)
    statement = f"COPY {quoted.format_table(table)} ({names}) FROM STDIN (FORMAT BINARY)"
    binds = [column.type.dialect_impl(dialect).bind_processor(dialect) for column in columns]
    # PostgreSQL's own names of the types, without a length.
    types = [column.type.compile(dialect).partition("(")[0].lower() for column in columns]
    driver: Any = connection.connection.driver_connection

    async def write() -> None:
        async with driver.cursor() as cursor, cursor.copy(statement) as copy:
            copy.set_types(types)
            for row in rows:
                values = row.values()
                await copy.write_row(
                    [v if bind is None else bind(v) for bind, v in zip(binds, values, strict=True)]
                )

    try:
        await_only(write())
    except psycopg.Error as error:
        # Past SQLAlchemy, which would have said so.
        raise DBAPIError.instance(
            statement, None, error, psycopg.Error, hide_parameters=True, dialect=dialect
        ) from error
