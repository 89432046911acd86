"""Consumers that come and go while events are published: who takes over, how soon, and in which order.

Each consumer is a process of its own, and notes what it handles in one SQLite file, as an inbox does: an
event counts when it is handled first. A patient's events carry sequence numbers, so that their order shows.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import sqlite3
import time
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Final
from zlib import crc32

from curbside.bus.kafka import KafkaBus
from curbside.bus.protocol import Record, Subscription
from curbside.contracts.events import Event, encode, new_event
from curbside.contracts.topics import REPORTS_RECEIVED
from curbside.contracts.v1 import events_pb2
from curbside.settings import BusSettings, KafkaSettings

GROUP: Final = "takeover"
# Published and not yet handled, at most: events must still be coming while consumers come and go.
_AHEAD: Final = 500
_LOT: Final = 50
# Between lots while a consumer is waited for: starting one takes a second or two, 50,000 events twenty.
_TRICKLE: Final = 0.1
_SCHEMA: Final = """
CREATE TABLE handled (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    event_id TEXT NOT NULL UNIQUE,
    subject TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    worker TEXT NOT NULL
) STRICT;
CREATE TABLE again (event_id TEXT NOT NULL, worker TEXT NOT NULL) STRICT;
"""


@dataclass(frozen=True)
class TakenOver:
    """What came of it. It held where nothing is `missing` or `unordered`."""

    events: int
    handled_twice: int
    missing: int
    unordered: tuple[str, ...]  # subjects whose events were not handled in their order
    rebalances: int
    took_over_after: float  # seconds from the SIGKILL to the first event of a dead consumer's partition
    seconds: float


@dataclass
class _Flow:
    """How the events are published: `published` so far, and slowly while a consumer is waited for."""

    count: int
    subjects: int
    notes: _Notes
    published: int = 0
    slow: bool = False

    async def run(self, bus: KafkaBus) -> None:
        while self.published < self.count or self.slow:
            while self.published - self.notes.count() > _AHEAD:  # noqa: ASYNC110  (others handle)
                await asyncio.sleep(0.02)
            numbers = range(self.published, self.published + _LOT)
            await bus.publish([_record(f"s{n % self.subjects}", n // self.subjects) for n in numbers])
            self.published += _LOT
            if self.slow:
                await asyncio.sleep(_TRICKLE)


@dataclass(frozen=True)
class _Notes:
    """What the consumers noted."""

    path: Path
    partitions: int

    def count(self) -> int:
        return int(self._rows("SELECT count(*) FROM handled")[0][0])

    def partitions_of(self, worker: str, *, after: int = 0) -> set[int]:
        """Those of which `worker` handled an event, of those noted `after` so many."""
        rows = self._rows(
            "SELECT DISTINCT subject FROM handled WHERE worker = ? AND number > ?", worker, after
        )
        return {crc32(f"default:{subject}".encode()) % self.partitions for (subject,) in rows}

    def sequences(self) -> dict[str, list[int]]:
        """By subject, in the order in which they were handled."""
        found: dict[str, list[int]] = {}
        for subject, sequence in self._rows("SELECT subject, sequence FROM handled ORDER BY number"):
            found.setdefault(subject, []).append(sequence)
        return found

    def handled_twice(self) -> int:
        return len(self._rows("SELECT 1 FROM again"))

    def _rows(self, query: str, *values: object) -> list[Any]:
        with closing(sqlite3.connect(self.path, timeout=30)) as db:
            return db.execute(query, values).fetchall()


async def take_over(
    directory: Path,
    settings: KafkaSettings,
    *,
    count: int = 50_000,
    subjects: int = 100,
    partitions: int = 6,
    batches: bool = False,
) -> TakenOver:
    """Publish at least `count` events and handle them by consumers of which a second joins at a quarter, the
    first is killed at the half and a third joins at three quarters. `batches`: by batch handlers.

    `settings` should have a topic prefix of its own. Raises TimeoutError where nothing moves for a minute.
    """
    began = time.monotonic()
    notes = _Notes(directory / "handled.db", partitions)
    with closing(sqlite3.connect(notes.path)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.executescript(_SCHEMA)
    bus = KafkaBus(settings)
    flow = _Flow(count, subjects, notes)
    workers: dict[str, BaseProcess] = {}

    def start(name: str) -> None:
        arguments = (settings.model_dump_json(), str(notes.path), name, partitions, batches)
        workers[name] = multiprocessing.get_context("spawn").Process(
            target=_work, args=arguments, daemon=True, name=name
        )
        workers[name].start()

    async def until(holds: Callable[[], bool]) -> None:
        seen, moved = -1, time.monotonic()
        while not holds():
            if (now := notes.count()) != seen:
                seen, moved = now, time.monotonic()
            if time.monotonic() - moved > 60:
                raise TimeoutError(f"{seen} of {count} events were handled, and no more for a minute")
            await asyncio.sleep(0.02)

    async def joined(name: str, share: int) -> None:
        flow.slow = True
        start(name)
        await until(lambda: len(notes.partitions_of(name)) >= share)
        flow.slow = False

    try:
        await bus.provision([replace(REPORTS_RECEIVED, partitions=partitions)])
        start("first")
        publishing = asyncio.create_task(flow.run(bus))
        await until(lambda: notes.count() >= count // 4)
        await joined("second", partitions // 2)
        await until(lambda: notes.count() >= count // 2)
        flow.slow = True
        orphans = notes.partitions_of("first") - notes.partitions_of("second")
        os.kill(workers["first"].pid or 0, signal.SIGKILL)
        killed = time.monotonic()
        workers["first"].join()
        await until(lambda: orphans <= notes.partitions_of("second"))
        took_over_after = time.monotonic() - killed
        flow.slow = False
        await until(lambda: notes.count() >= count * 3 // 4)
        await joined("third", partitions // 2)
        await publishing
        await until(lambda: notes.count() == flow.published)
    finally:
        for worker in workers.values():
            if worker.is_alive() and worker.pid is not None:
                os.kill(worker.pid, signal.SIGTERM)
                await asyncio.to_thread(worker.join, 30)
                worker.kill()
        await bus.close()
    sequences = notes.sequences()
    return TakenOver(
        events=flow.published,
        handled_twice=notes.handled_twice(),
        missing=flow.published - notes.count(),
        unordered=tuple(name for name, found in sequences.items() if found != sorted(found)),
        rebalances=3,
        took_over_after=took_over_after,
        seconds=time.monotonic() - began,
    )


def _record(subject: str, sequence: int) -> Record:
    payload = events_pb2.ReportReceived(report_id=str(sequence))
    event = new_event(payload, tenant="default", subject=subject)
    return Record(event.topic.name, event.key, encode(event))


def _work(settings: str, notes: str, name: str, concurrency: int, batches: bool) -> None:
    """A consumer's process: until SIGTERM."""
    asyncio.run(_consume(KafkaSettings.model_validate_json(settings), notes, name, concurrency, batches))


async def _consume(settings: KafkaSettings, notes: str, name: str, concurrency: int, batches: bool) -> None:
    db = sqlite3.connect(notes, timeout=30, isolation_level=None)
    db.execute("PRAGMA synchronous = NORMAL")

    def note(event: Event) -> None:
        assert isinstance(event.payload, events_pb2.ReportReceived)
        marked = db.execute(
            "INSERT OR IGNORE INTO handled (event_id, subject, sequence, worker) VALUES (?, ?, ?, ?)",
            (event.event_id, event.subject, int(event.payload.report_id), name),
        )
        if not marked.rowcount:
            db.execute("INSERT INTO again VALUES (?, ?)", (event.event_id, name))

    async def handle(event: Event) -> None:
        note(event)
        await asyncio.sleep(0)

    async def handle_batch(events: Sequence[Event]) -> None:
        db.execute("BEGIN IMMEDIATE")
        for event in events:
            note(event)
        db.execute("COMMIT")
        await asyncio.sleep(0)

    bus = KafkaBus(settings, BusSettings())
    subscription = Subscription(
        REPORTS_RECEIVED,
        GROUP,
        handle,
        concurrency,
        handle_batch=handle_batch if batches else None,
        batch_size=100,
    )
    consuming = asyncio.create_task(bus.consume(subscription))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, consuming.cancel)
    with suppress(asyncio.CancelledError):
        await consuming
    await bus.close()
    db.close()
