"""SQLite's write-ahead log, switched on where several processes may open one new file at once."""

from __future__ import annotations

import sqlite3
import time
from typing import Any, Final

# 30 s: as long as a connection waits for a writer.
_SECONDS: Final = 30.0


def write_ahead(connection: Any) -> None:
    """Switch `connection`'s file to its write-ahead log, durable with each commit.

    Two connections that switch a new file at once each hold what the other waits for, so SQLite answers one
    of them "database is locked" at once, whatever its timeout (https://sqlite.org/rescode.html#busy). Raises
    sqlite3.OperationalError where that, or anything else, stays so.
    """
    deadline = time.monotonic() + _SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            break
    connection.execute("PRAGMA synchronous = FULL")
