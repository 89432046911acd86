"""How many events a second go through outbox, relay, log and inbox, and how long one of them takes.

Every side has two processes, side by side, and its clock runs from the first event until the effect of the
last one is committed. What each of them does:

- `kafka`: the producing process writes events to its outbox (PostgreSQL, fsync on, 500 events a transaction)
  and relays them to Apache Kafka as a service does; the consuming one is a group of its own, and writes each
  event's inbox mark and one row of effect in one transaction per batch. KafkaBus as in production:
  idempotent, acks=all, positions committed after the transaction, over TLS with a password.
- `bare`: kafka-python alone at the same broker and listener, with the same bytes (keys, values, headers) in
  the same partitions of a topic with the same configuration: an idempotent producer with acks=all, and a
  consumer in a group that counts, and commits its positions by hand as often as ours. No database.
- `embedded`: as `kafka`, through SQLite files and the embedded log. Its peer is bare SQLite with the same
  durability and as many events a commit, which appends each event once; ours writes each six times (outbox
  and out again, log, position, inbox, effect), in two processes.

The lag is taken in two such processes over Kafka and PostgreSQL while one event a transaction is committed on
a fixed schedule (open loop): from just before the commit until the consumer's handler is called with it. The
first seconds of the schedule do not count.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import multiprocessing
import os
import sqlite3
import statistics
import sys
import tempfile
import time
import zlib
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

from kafka import KafkaConsumer, KafkaProducer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from sqlalchemy import Column, String, create_engine
from sqlalchemy import Table as SqlTable

from curbside.bus.embedded import EmbeddedBus
from curbside.bus.kafka import KafkaBus
from curbside.bus.kafka.client import connect, wire_topic
from curbside.bus.protocol import Bus, Subscription
from curbside.contracts.events import Event, encode, new_event
from curbside.contracts.topics import REPORTS_RECEIVED
from curbside.contracts.v1 import events_pb2
from curbside.settings import DatabaseSettings, KafkaSettings, Profile
from curbside.storage.database import Database, sqlite_url
from curbside.storage.keys import KeyRing
from curbside.storage.migrate import migrate
from curbside.storage.postgres import owner_url, provision
from curbside.storage.relay import relay
from curbside.storage.tables import UtcDateTime, service_metadata
from curbside.telemetry.tracing import TRACE_PARENT
from curbside.testing.figures import Figure, add_json_option, report
from curbside.testing.servers.kafka import LocalKafka
from curbside.testing.servers.postgres import LocalPostgres

RATIO_TARGET: Final = 0.25
LAG_TARGET_MS: Final = 200.0
EMBEDDED_TARGET: Final = 3_000
PRODUCER: Final = "ingestion"
CONSUMER: Final = "workbench"
PER_TRANSACTION: Final = 500
WARM_UP: Final = 1_000
SUBJECTS: Final = 500
COMMIT_EVERY: Final = 0.02  # seconds: as often as our consumer commits its positions while it is busy
SETTLE: Final = 3.0  # seconds of the schedule that come before those that count
PATIENCE: Final = 300.0  # seconds, for a child to answer

METADATA = service_metadata()
EFFECTS = SqlTable(
    "bus_benchmark_effects",
    METADATA,
    Column("report_id", String(64), primary_key=True),
    Column("subject", String(64), nullable=False),
    Column("occurred_at", UtcDateTime(), nullable=False),
)


@dataclass(frozen=True)
class Place:
    """Where a side of one round runs; it can be pickled."""

    data: Path
    kafka: KafkaSettings | None = None
    postgres: DatabaseSettings | None = None

    @property
    def name(self) -> str:
        return self.data.name

    def database_url(self, owner: str) -> str:
        if self.postgres is None:
            return sqlite_url(self.data, owner)
        return owner_url(self.postgres, Profile.DEVELOPMENT, owner).render_as_string(hide_password=False)

    def make(self) -> None:
        """The files, tables and topics that both processes then find."""
        self.data.mkdir(parents=True)
        if self.kafka is not None:
            asyncio.run(_provision_topics(self.kafka))
        for owner in (PRODUCER, CONSUMER):
            migrate(f"curbside_{owner}", self.database_url(owner))
        engine = create_engine(self.database_url(CONSUMER).replace("+aiosqlite", ""))
        METADATA.create_all(engine, tables=[EFFECTS])
        engine.dispose()

    @contextlib.asynccontextmanager
    async def opened(self, owner: str) -> AsyncIterator[tuple[Database, Bus]]:
        ring = KeyRing(self.data.parent / "keys", Profile.DEVELOPMENT)
        database = Database(owner, self.database_url(owner), METADATA, ring, self.postgres)
        bus: Bus = KafkaBus(self.kafka) if self.kafka is not None else EmbeddedBus(self.data / "log.db")
        try:
            yield database, bus
        finally:
            await bus.close()
            await database.close()


async def _provision_topics(settings: KafkaSettings) -> None:
    bus = KafkaBus(settings)
    try:
        await bus.provision([REPORTS_RECEIVED])
    finally:
        await bus.close()


def make_events(name: str, count: int) -> list[Event]:
    """Received reports as intake announces them: of 500 patients in turn, each batch in a request's trace."""
    events = []
    for number in range(count):
        subject = f"{number % SUBJECTS:064x}"
        blob = events_pb2.BlobRef(
            zone="phi",
            tenant="default",
            subject=subject,
            blob_id=f"{number:032x}",
            keyed_hash="0" * 64,
            size=1_800,
        )
        received = events_pb2.ReportReceived(
            report_id=f"{name}-{number:08d}",
            original=blob,
            text=blob,
            report_type="radiology",
            source="benchmark",
        )
        event = new_event(received, tenant="default", subject=subject)
        events.append(replace(event, trace_parent=f"00-{number // PER_TRANSACTION + 1:032x}-{1:016x}-01"))
    return events


def report_of(event: Event) -> str:
    assert isinstance(event.payload, events_pb2.ReportReceived)
    return event.payload.report_id


# The processes. Each is told its rounds one after another, and None at the end.


@dataclass(frozen=True)
class Round:
    name: str
    count: int
    rate: float | None = None  # events a second, one a transaction; without it as fast as it goes


class Peer:
    """The other end of a child's pipe."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe

    def say(self, what: object) -> None:
        self._pipe.send(what)

    def heard(self) -> Any:
        if not self._pipe.poll(PATIENCE):
            raise TimeoutError("a process of the benchmark does not answer")
        return self._pipe.recv()


def produce(parent: Peer, place: Place) -> None:
    asyncio.run(_produce(parent, place))


async def _produce(parent: Peer, place: Place) -> None:
    async with place.opened(PRODUCER) as (database, bus):
        relaying = asyncio.create_task(relay(database, bus))
        while (ordered := await asyncio.to_thread(parent.heard)) is not None:
            events = make_events(ordered.name, ordered.count)
            parent.say("ready")
            await asyncio.to_thread(parent.heard)
            began, cpu = time.monotonic(), time.process_time()
            committing: dict[str, float] = {}
            if ordered.rate is None:
                await _commit(database, events)
            else:
                committing = await _commit_on_schedule(database, events, ordered.rate)
            parent.say((began, time.monotonic() - began, committing))
            await asyncio.to_thread(parent.heard)  # the relay goes on until all has arrived
            parent.say(time.process_time() - cpu)
        relaying.cancel()


async def _commit(database: Database, events: Sequence[Event]) -> None:
    for start in range(0, len(events), PER_TRANSACTION):
        batch = events[start : start + PER_TRANSACTION]
        async with database.begin(*map(report_of, batch)) as transaction:
            await transaction.publish(*batch)


async def _commit_on_schedule(database: Database, events: Sequence[Event], rate: float) -> dict[str, float]:
    """Commit an event every 1 / `rate` seconds, whether or not the one before is through; when each was."""
    committing: dict[str, float] = {}

    async def commit(event: Event) -> None:
        async with database.begin(report_of(event)) as transaction:
            await transaction.publish(event)
            committing[event.event_id] = time.monotonic()

    began = time.monotonic()
    async with asyncio.TaskGroup() as tasks:
        for number, event in enumerate(events):
            await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
            tasks.create_task(commit(event))
    return committing


def consume(parent: Peer, place: Place) -> None:
    asyncio.run(_consume(parent, place))


async def _consume(parent: Peer, place: Place) -> None:
    """Write the effects of each round; say when the last was committed, and when each event had arrived."""
    arrived: dict[str, float] = {}
    expected = 0
    full = asyncio.Event()
    async with place.opened(CONSUMER) as (database, bus):

        async def handle_batch(events: Sequence[Event]) -> None:
            now = time.monotonic()
            async with database.begin(*map(report_of, events)) as transaction:
                fresh = await transaction.first_times(events, CONSUMER)
                await transaction.add(
                    EFFECTS,
                    [
                        {"report_id": report_of(one), "subject": one.subject, "occurred_at": one.occurred_at}
                        for one in fresh
                    ],
                )
            arrived.update((event.event_id, now) for event in fresh)
            if len(arrived) >= expected:
                full.set()

        async def handle(event: Event) -> None:
            await handle_batch([event])

        subscription = Subscription(REPORTS_RECEIVED, CONSUMER, handle, handle_batch=handle_batch)
        consuming = asyncio.create_task(bus.consume(subscription))
        while (ordered := await asyncio.to_thread(parent.heard)) is not None:
            arrived.clear()
            full.clear()
            expected = ordered.count
            cpu = time.process_time()
            parent.say("ready")
            await asyncio.wait_for(full.wait(), PATIENCE)
            parent.say((time.monotonic(), dict(arrived), time.process_time() - cpu))
        consuming.cancel()
        await asyncio.gather(consuming, return_exceptions=True)


def produce_bare(parent: Peer, place: Place) -> None:
    assert place.kafka is not None
    topic = wire_topic(place.kafka, REPORTS_RECEIVED.name)
    producer = connect(
        KafkaProducer,
        place.kafka,
        enable_idempotence=True,
        acks="all",
        linger_ms=20,
        batch_size=1_000_000,
        metrics_enabled=False,
    )
    while (ordered := parent.heard()) is not None:
        records = _bytes_of(make_events(ordered.name, ordered.count))
        parent.say("ready")
        parent.heard()
        began, cpu = time.monotonic(), time.process_time()
        sent = [
            producer.send(topic, value, key, headers, partition=partition)
            for key, value, headers, partition in records
        ]
        producer.flush()
        if not all(one.succeeded() for one in sent):
            raise RuntimeError("a record was not appended")
        parent.say((began, time.monotonic() - began, {}))
        parent.heard()
        parent.say(time.process_time() - cpu)
    producer.close()


def _bytes_of(events: Sequence[Event]) -> list[tuple[bytes, bytes, list[tuple[str, bytes]], int]]:
    """What our relay would send, and the partition to which it would."""
    return [
        (
            event.key.encode(),
            encode(event),
            [(TRACE_PARENT, event.trace_parent.encode())],
            zlib.crc32(event.key.encode()) % REPORTS_RECEIVED.partitions,
        )
        for event in events
    ]


def consume_bare(parent: Peer, place: Place) -> None:
    assert place.kafka is not None
    consumer = connect(
        KafkaConsumer,
        place.kafka,
        group_id=f"{place.kafka.topic_prefix}bare",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_poll_records=500,
        metrics_enabled=False,
    )
    consumer.subscribe([wire_topic(place.kafka, REPORTS_RECEIVED.name)])
    while (ordered := parent.heard()) is not None:
        cpu = time.process_time()
        parent.say("ready")
        read, committed_at = 0, time.monotonic()
        while read < ordered.count:
            read += sum(len(records) for records in consumer.poll(timeout_ms=250).values())
            if time.monotonic() - committed_at >= COMMIT_EVERY:
                consumer.commit()
                committed_at = time.monotonic()
        consumer.commit()
        parent.say((time.monotonic(), {}, time.process_time() - cpu))
    consumer.close()


def append_bare(path: Path, count: int) -> float:
    """Events a second of bare SQLite: as many events a commit as our producer, each written once."""
    rows = [(key, value) for key, value, _, _ in _bytes_of(make_events("bare", count))]
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("CREATE TABLE messages (id INTEGER PRIMARY KEY, key TEXT, value BLOB)")
        began = time.monotonic()
        for start in range(0, count, PER_TRANSACTION):
            db.execute("BEGIN IMMEDIATE")
            db.executemany(
                "INSERT INTO messages (key, value) VALUES (?, ?)", rows[start : start + PER_TRANSACTION]
            )
            db.execute("COMMIT")
        return count / (time.monotonic() - began)


# The parent.


def child_main(work: Callable[..., None], pipe: Connection, place: Place) -> None:
    logging.disable(logging.WARNING)  # kafka-python says on every start that a group has no coordinator yet
    work(Peer(pipe), place)


@contextlib.contextmanager
def child(work: Callable[..., None], place: Place) -> Iterator[Peer]:
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(
        target=child_main, args=(work, theirs, place), daemon=True
    )
    process.start()
    theirs.close()
    try:
        yield Peer(ours)
        ours.send(None)
        process.join(30)
    finally:
        process.kill()
        process.join()


@dataclass(frozen=True)
class Rate:
    """One round of one side."""

    per_second: float
    producer_cpu: float  # microseconds an event
    consumer_cpu: float


class Side:
    """A pair of processes, side by side."""

    def __init__(self, producer: Peer, consumer: Peer) -> None:
        self._producer = producer
        self._consumer = consumer

    @classmethod
    @contextlib.contextmanager
    def at(
        cls, place: Place, producing: Callable[..., None], consuming: Callable[..., None]
    ) -> Iterator[Side]:
        """Started, and warm: connected, and its group assigned."""
        place.make()
        with child(producing, place) as producer, child(consuming, place) as consumer:
            side = cls(producer, consumer)
            side.run(Round("warm", WARM_UP))
            yield side

    def run(self, ordered: Round) -> tuple[Rate, list[float]]:
        """The rate, and for each event that was committed by itself, in order, the milliseconds until it had
        arrived."""
        self._consumer.say(ordered)
        self._producer.say(ordered)
        self._consumer.heard()
        self._producer.heard()
        self._producer.say("go")
        began, _, committing = self._producer.heard()
        ended, arrived, consumer_cpu = self._consumer.heard()
        self._producer.say("done")
        each = 1e6 / ordered.count
        rate = Rate(ordered.count / (ended - began), self._producer.heard() * each, consumer_cpu * each)
        return rate, [(arrived[event] - at) * 1_000 for event, at in committing.items()]


def spread(values: Sequence[float]) -> str:
    return (
        f"{min(values):,.2f} … {max(values):,.2f}"
        if min(values) < 10
        else f"{min(values):,.0f} … {max(values):,.0f}"
    )


def measure(scratch: Path, arguments: argparse.Namespace, progress: Progress) -> list[Figure]:
    rounds, count = (3, 15_000) if arguments.quick else (5, 50_000)
    seconds = 10 if arguments.quick else 60
    count = arguments.events or count
    task = progress.add_task("servers", total=3 * rounds + 3)
    postgres = LocalPostgres(scratch / "postgres", durable=True)
    kafka = LocalKafka(scratch / "kafka")
    try:
        kafka.start()
        postgres.start()
        postgres.create_database("bus")
        settings = postgres.settings("bus", scratch / "passwords").model_copy(
            update={"pool_timeout": timedelta(seconds=60)}
        )
        provision(settings, Profile.DEVELOPMENT, postgres.admin_url("bus"))
        progress.advance(task)

        def outside(name: str) -> Place:
            return Place(scratch / name, kafka.settings("SASL_SSL", topic_prefix=f"{name}."), settings)

        ours: list[Rate] = []
        bare: list[Rate] = []
        embedded: list[Rate] = []
        appends: list[float] = []
        with (
            Side.at(outside("ours"), produce, consume) as our_side,
            Side.at(outside("bare"), produce_bare, consume_bare) as bare_side,
            Side.at(Place(scratch / "embedded"), produce, consume) as embedded_side,
        ):
            progress.advance(task)
            for number in range(rounds):
                # Turn about, so that a machine that slows down slows all.
                for what, side, rates in (
                    ("outbox, Kafka, inbox", our_side, ours),
                    ("bare kafka-python", bare_side, bare),
                    ("SQLite and embedded log", embedded_side, embedded),
                ):
                    progress.update(task, description=f"round {number + 1}: {what}")
                    rates.append(side.run(Round(f"round-{number}", count))[0])
                    progress.advance(task)
                appends.append(append_bare(scratch / f"bare-{number}.db", count))
            progress.update(task, description=f"lag at {arguments.rate:.0f} events/s for {seconds} s")
            scheduled = Round("lag", round((SETTLE + seconds) * arguments.rate), arguments.rate)
            _, lags = our_side.run(scheduled)
            progress.advance(task)
        lag = sorted(lags[-round(seconds * arguments.rate) :])
    finally:
        kafka.destroy()
        postgres.destroy()
    return figures(ours, bare, embedded, appends, lag, progress.console)


def figures(
    ours: Sequence[Rate],
    bare: Sequence[Rate],
    embedded: Sequence[Rate],
    appends: Sequence[float],
    lag: Sequence[float],
    console: Console,
) -> list[Figure]:
    ratios = [mine.per_second / theirs.per_second for mine, theirs in zip(ours, bare, strict=True)]
    table = Table("side", "events/s", "spread", "producer CPU µs/event", "consumer CPU µs/event")
    for name, rates in (("kafka", ours), ("bare kafka-python", bare), ("embedded", embedded)):
        each = [rate.per_second for rate in rates]
        table.add_row(
            name,
            f"{statistics.median(each):,.0f}",
            spread(each),
            f"{statistics.median(rate.producer_cpu for rate in rates):.0f}",
            f"{statistics.median(rate.consumer_cpu for rate in rates):.0f}",
        )
    table.add_row("bare SQLite", f"{statistics.median(appends):,.0f}", spread(appends), "", "")
    console.print(table)
    p50, p99 = (lag[min(len(lag) - 1, int(len(lag) * part))] for part in (0.5, 0.99))
    console.print(
        f"ratio of each round: {spread(ratios)}; lag ms: p50 {p50:.0f}, p99 {p99:.0f}, most {lag[-1]:.0f}"
    )
    kafka_rate = statistics.median(rate.per_second for rate in ours)
    bare_rate = statistics.median(rate.per_second for rate in bare)
    embedded_rate = statistics.median(rate.per_second for rate in embedded)
    kafka_python = f"bare kafka-python 3.0.12, same bytes, broker and listener: {bare_rate:,.0f} events/s"
    sqlite = (
        f"bare SQLite, WAL, synchronous=FULL, {PER_TRANSACTION} events a commit: "
        f"{statistics.median(appends):,.0f} events/s"
    )
    return [
        Figure("kafka_vs_bare", statistics.median(ratios), "ratio", kafka_python, least=RATIO_TARGET),
        Figure("kafka_events_per_second", kafka_rate, "events/s", kafka_python),
        Figure("embedded_events_per_second", embedded_rate, "events/s", sqlite, least=EMBEDDED_TARGET),
        Figure("relay_lag_p99_ms", p99, "ms", "the issue's bound at 200 events/s", most=LAG_TARGET_MS),
        Figure("relay_lag_p50_ms", p50, "ms", "the issue's bound of the p99"),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds, under 5 minutes")
    parser.add_argument("--events", type=int, help="events a round; default 50,000, or 15,000 with --quick")
    parser.add_argument(
        "--rate", type=float, default=200, help="events a second of the lag; default %(default)s"
    )
    add_json_option(parser)
    arguments = parser.parse_args()
    load = os.getloadavg()[0]
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with tempfile.TemporaryDirectory(prefix="curbside-bus-") as scratch, Progress(*columns) as progress:
        found = measure(Path(scratch), arguments, progress)
    console = Console(width=140)
    console.print(f"load before: {load:.1f} on {os.cpu_count()} cores")
    return report(found, console, arguments.json)


if __name__ == "__main__":
    sys.exit(main())
