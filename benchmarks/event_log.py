"""How much of SQLite's durable write rate the embedded event log keeps.

Peer, measured in the same run on the same disk: bare SQLite with the same durability (WAL,
synchronous=FULL), one insert and one commit for each event. Events are appended one at a time, as an
acknowledged report is.
"""

from __future__ import annotations

import argparse
import asyncio
import sqlite3
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console

from curbside.bus.embedded import EmbeddedBus
from curbside.bus.protocol import Record
from curbside.testing.figures import Figure, add_json_option, report

# Below half, the log itself, and not the disk, would bound intake.
TARGET = 0.5
VALUE = b"x" * 400  # an encoded ReportReceived


def bare(path: Path, events: int) -> float:
    """Events a second of one insert and one commit each."""
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.execute("CREATE TABLE messages (id INTEGER PRIMARY KEY, value BLOB)")
    started = time.perf_counter()
    for _ in range(events):
        db.execute("BEGIN IMMEDIATE")
        db.execute("INSERT INTO messages (value) VALUES (?)", (VALUE,))
        db.execute("COMMIT")
    return events / (time.perf_counter() - started)


async def log(path: Path, events: int) -> float:
    bus = EmbeddedBus(path)
    await bus.check()
    started = time.perf_counter()
    for number in range(events):
        await bus.publish([Record("curbside.reports.received.v1", f"k{number % 50}", VALUE)])
    rate = events / (time.perf_counter() - started)
    await bus.close()
    return rate


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer events")
    add_json_option(parser)
    arguments = parser.parse_args()
    events = 2_000 if arguments.quick else 20_000
    with tempfile.TemporaryDirectory() as scratch:
        directory = Path(scratch)
        # Turn about, so that a disk that slows down slows both.
        rounds = [
            (asyncio.run(log(directory / f"log-{n}.db", events)), bare(directory / f"bare-{n}.db", events))
            for n in range(3)
        ]
    # The median round, whole: a ratio beside the rates of another round would not be theirs.
    mine, theirs = sorted(rounds, key=lambda rates: rates[0] / rates[1])[len(rounds) // 2]
    ratio = mine / theirs
    peer = "bare SQLite, WAL, synchronous=FULL, one commit for each event"
    console = Console(width=140)
    console.print(f"the log {mine:,.0f} events/s, {peer} {theirs:,.0f}")
    return report([Figure("event_log_appends", ratio, "ratio", peer, least=TARGET)], console, arguments.json)


if __name__ == "__main__":
    sys.exit(main())
