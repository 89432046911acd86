"""A service's rows into PostgreSQL, read on both sides and compared."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from rich.progress import Progress, TaskID
from sqlalchemy import Row, String, Table, func, select, text, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, StatementError
from sqlalchemy.ext.asyncio import AsyncSession

from curbside.errors import OperatorError
from curbside.runtime.carrying_to import EMPTY_IT, NotEqual
from curbside.storage.database import Database

_ROWS: Final = 500


class DoesNotFit(OperatorError):
    code = "operator.does-not-fit"


@dataclass(frozen=True)
class Carried:
    """One database's rows on both sides, and how many audit records of the copy hold."""

    owner: str
    there: int
    here: int
    audited: int


async def carry_database(source: Database, target: Database, bar: Progress) -> Carried:
    """Raises NotEqual, DoesNotFit."""
    tables = source.metadata.sorted_tables  # what others refer to comes first
    async with source.read() as reading:
        total = 0
        for table in tables:
            total += (await reading.execute(select(func.count()).select_from(table))).scalar_one()
        task = bar.add_task(f"rows of {source.service}", total=2 * total, note="")
        for table in tables:
            async for rows in _pages(reading, table):
                async with target.begin() as transaction:
                    await _insert(transaction.session, table, rows, target.service)
                bar.advance(task, len(rows))
            async with target.begin() as transaction:
                await _set_sequences(transaction.session, table)
        here = 0
        async with target.read() as copied:
            for table in tables:
                here += await _compare(reading, copied, table, source.service, bar, task)
    audited, broken = await target.verify_audit()
    if broken is not None:
        raise NotEqual(f"the audit chain of {source.service} does not hold at record {broken.sequence}.")
    return Carried(source.service, total, here, audited)


async def _pages(session: AsyncSession, table: Table) -> AsyncIterator[Sequence[Row[Any]]]:
    """The rows of `table` in the order of its primary key, as bytes compare."""
    postgres = session.get_bind().dialect.name == "postgresql"
    key = [
        # SQLite compares text by its bytes; PostgreSQL by the rules of some language, unless told.
        column.collate("C") if postgres and isinstance(column.type, String) else column
        for column in table.primary_key.columns
    ]
    last: Row[Any] | None = None
    while True:
        query = select(table).order_by(*key).limit(_ROWS)
        if last is not None:
            place = [last._mapping[column.name] for column in table.primary_key.columns]
            query = query.where(tuple_(*key) > tuple_(*place))
        rows = (await session.execute(query)).all()
        if rows:
            yield rows
        if len(rows) < _ROWS:
            return
        last = rows[-1]


async def _insert(session: AsyncSession, table: Table, rows: Sequence[Row[Any]], service: str) -> None:
    try:
        await session.execute(insert(table).on_conflict_do_nothing(), [dict(row._mapping) for row in rows])
    except StatementError as error:
        # The text of these quotes values: the constraint and the table say enough.
        if isinstance(error, DBAPIError) and not isinstance(error, DataError | IntegrityError):
            error.hide_parameters = True
            raise
        constraint = getattr(getattr(error.orig, "diag", None), "constraint_name", None)
        raise DoesNotFit(
            f"rows of {service}.{table.name} do not fit into PostgreSQL"
            f"{f' (constraint {constraint})' if constraint else ''}: has something else written there?"
        ) from None


async def _set_sequences(session: AsyncSession, table: Table) -> None:
    """Numbers that PostgreSQL gives go on behind those that were carried."""
    for column in table.primary_key.columns:
        if column is table.autoincrement_column:
            newest = (await session.execute(select(func.max(column)))).scalar_one()
            if newest is not None:
                await session.execute(
                    text("SELECT setval(pg_get_serial_sequence(:table, :column), :newest)"),
                    {"table": table.name, "column": column.name, "newest": newest},
                )


async def _compare(
    there: AsyncSession, here: AsyncSession, table: Table, service: str, bar: Progress, task: TaskID
) -> int:
    """Read both sides side by side; return how many rows there are. Raises NotEqual."""
    count = 0
    copies = _pages(here, table)
    async for rows in _pages(there, table):
        copied = await anext(copies, None)
        if [tuple(row) for row in rows] != [tuple(row) for row in copied or ()]:
            raise NotEqual(
                f"the table {table.name} of {service} is not what was carried: something else has written to "
                "it. Carry into a schema that no service has used."
            )
        count += len(rows)
        bar.advance(task, len(rows))
    if await anext(copies, None):
        raise NotEqual(f"the table {table.name} of {service} has rows that were not carried.")
    return count


async def check_part(there: AsyncSession, here: AsyncSession, table: Table, owner: str) -> int:
    """How many rows the copy has, each of which must be a row of the source. Raises NotEqual."""
    # Both come in the order of their keys: whatever the copy lacks is passed over.
    source = (tuple(row) async for rows in _pages(there, table) for row in rows)
    count = 0
    async for rows in _pages(here, table):
        for row in rows:
            wanted = tuple(row)
            while (found := await anext(source, None)) != wanted:
                if found is None:
                    raise NotEqual(
                        f"the table {table.name} of {owner} is not what was carried: it has a row there that "
                        f"the source has not. {EMPTY_IT}"
                    )
        count += len(rows)
    return count
