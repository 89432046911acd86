"""A table made anew by a migration, so that nothing of what it held in the clear stays on the disk.

A column that PostgreSQL drops stays in the rows that were there, and what SQLite frees stays in the file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Any, Final

from alembic.operations import Operations
from sqlalchemy import TableClause, insert, select, text

_AT_ONCE: Final = 1000  # rows


@contextmanager
def remade(
    op: Operations | ModuleType, table: str, *, constraints: Sequence[str], indexes: Sequence[str]
) -> Iterator[str]:
    """The block makes `table` anew and copies into it from the table whose name it is given, which then goes.

    All or nothing, also where the process dies; meanwhile nobody else writes. `constraints` and `indexes` are
    the names that the new one takes over.
    """
    former = f"{table}_former"
    connection = op.get_bind()
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA secure_delete = ON")  # zeroes what it frees
        # The driver begins at the first change of a row only: what comes before would stay by itself.
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        op.execute(text(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE"))
    for name in indexes:
        op.drop_index(name, table_name=table)
    op.rename_table(table, former)
    if connection.dialect.name != "sqlite":  # where such names are a table's own
        for name in constraints:
            op.execute(text(f"ALTER TABLE {former} RENAME CONSTRAINT {name} TO {name}_former"))
    yield former
    op.drop_table(former)


def copy_rows(
    op: Operations | ModuleType,
    former: TableClause,
    made: TableClause,
    change: Callable[[dict[str, Any]], Mapping[str, Any]],
) -> None:
    """Every row of `former` into `made`, as `change` makes it of the row's columns by name."""
    connection = op.get_bind()
    found = connection.execute(select(former), execution_options={"yield_per": _AT_ONCE})
    for rows in found.mappings().partitions():
        connection.execute(insert(made), [change(dict(row)) for row in rows])
