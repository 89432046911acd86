"""Publishing: one thread owns the producer, and sends what waits for it together.

A key's records must be first seen in the order in which they were published, even where a publication fails
half way and is tried again. So no record is sent before those that stand before it in its partition: what
waits is sent in waves, at most one batch a partition and wave (a batch is appended whole or not at all), and
a partition whose batch failed gets nothing more of what waits.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import queue
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Final

from kafka import KafkaProducer
from kafka.errors import KafkaError

from curbside.bus.kafka.client import connect, explained, milliseconds, wire_topic
from curbside.bus.kafka.routing import Route, RoutingTable
from curbside.bus.protocol import MAX_RECORD_BYTES, Record
from curbside.errors import CurbsideError, Unavailable
from curbside.settings import KafkaSettings

log = logging.getLogger(__name__)

# Seconds. Until it is flushed, a batch lingers: it must not leave before all of its wave is in it. That takes
# some 30 ms for 1,000 records.
LINGER: Final = 1.0
# What is sent together at most: 8 MB of records, so that a call that waits is not kept by a flood of others.
_TOGETHER_BYTES: Final = 8 * MAX_RECORD_BYTES
# A record's length, attributes, and deltas of time and offset in a batch, at most (KIP-98), and its headers'.
_RECORD_OVERHEAD: Final = 40
# Room for a record of the largest size and what makes it a dead letter; topics take 1,048,588 bytes.
_MAX_BATCH_BYTES: Final = 1_040_000

# Seconds that closing waits for what is on its way.
_CLOSE: Final = 5.0

Place = tuple[str, int]  # a topic, as we name it, and a partition of it


@dataclass(slots=True)
class _Call:
    """One call of publish()."""

    records: Sequence[Record]
    done: Future[None] = field(default_factory=Future)
    error: CurbsideError | None = None

    def finish(self) -> None:
        if not self.done.set_running_or_notify_cancel():
            return
        if self.error is not None:
            self.done.set_exception(self.error)
        else:
            self.done.set_result(None)


# What is sent at once: by place, records with the calls that brought them.
_Wave = dict[Place, list[tuple[_Call, Record]]]


class Publisher:
    """Publishes for all tasks of a process. Made in the loop's thread; `publish` never blocks it."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._calls: queue.SimpleQueue[_Call | None] = queue.SimpleQueue()
        self._table = RoutingTable(settings)
        self._producer: Any = None
        self._made_for: dict[str, Route] = {}
        self._thread: threading.Thread | None = None
        self._closed = False

    async def publish(self, records: Sequence[Record]) -> None:
        """As `Bus.publish`, but a dead letter may be larger by what made it one."""
        if not records:
            return
        if self._closed:
            raise Unavailable("the bus is closed", mend="Open another.")
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="kafka-publisher", daemon=True)
            self._thread.start()
        call = _Call(records)
        self._calls.put(call)
        await asyncio.wrap_future(call.done)

    async def close(self) -> None:
        self._closed = True
        if self._thread is not None:
            self._calls.put(None)
            # What it still sends is nobody's any more; a broker that is down must not hold up our end.
            await asyncio.to_thread(self._thread.join, _CLOSE)

    def _run(self) -> None:
        while (calls := self._next()) is not None:
            try:
                self._publish(calls)
            except Exception as error:
                # Nothing may end this thread: whoever waits for it would wait for ever.
                log.exception("publishing failed")
                self._discard()
                self._fail(calls, explained(error, self._settings))
            for call in calls:
                call.finish()
        self._discard()
        self._table.close()

    def _next(self) -> list[_Call] | None:
        """The calls that wait, as many as are sent together; None when the bus is closed."""
        call = self._calls.get()
        calls: list[_Call] = []
        size = 0
        while call is not None:
            calls.append(call)
            size += sum(len(record.value) for record in call.records)
            if size >= _TOGETHER_BYTES:
                return calls
            try:
                call = self._calls.get_nowait()
            except queue.Empty:
                return calls
        if calls:
            self._calls.put(None)  # closed behind them
        return calls or None

    def _publish(self, calls: Sequence[_Call]) -> None:
        try:
            self._table.confirm()
            producer = self._open()
            self._table.confirm()  # to connect may have taken longer than a lease
        except CurbsideError as error:
            self._fail(calls, error)
            return
        version = self._table.version
        waves = self._waves(calls)
        for number, wave in enumerate(waves):
            try:
                self._table.confirm()
                if self._table.version != version:
                    raise Unavailable("topics are routed anew", mend="Try again.")
                self._send(producer, wave)
            except CurbsideError as error:
                self._discard()
                for unsent in waves[number:]:
                    for records in unsent.values():
                        self._fail([call for call, _ in records], error)
                return

    def _waves(self, calls: Sequence[_Call]) -> list[_Wave]:
        """The records of `calls` in waves; a call of which a topic is not to be published to now fails."""
        waves: list[_Wave] = []
        sizes: dict[Place, list[int]] = {}  # of the last wave of a partition: its number, its bytes
        routes: dict[str, Route] = {}
        for call in calls:
            try:
                for topic in {record.topic for record in call.records}:
                    routes[topic] = self._table.of(topic)
            except CurbsideError as error:
                call.error = error
                continue
            for record in call.records:
                place = record.topic, routes[record.topic].partition_of(record.key)
                size = record.size + _RECORD_OVERHEAD * (1 + len(record.headers))
                wave = sizes.setdefault(place, [0, 0])
                if wave[1] and wave[1] + size > MAX_RECORD_BYTES:
                    wave[:] = [wave[0] + 1, 0]
                wave[1] += size
                if wave[0] == len(waves):
                    waves.append({})
                waves[wave[0]].setdefault(place, []).append((call, record))
        return waves

    def _send(self, producer: Any, wave: _Wave) -> None:
        """Send `wave` and wait for it. Raises Unavailable where not all of it was appended."""
        began = time.monotonic()
        sent: list[Any] = []
        try:
            for (topic, partition), records in wave.items():
                wire = wire_topic(self._settings, topic)
                for _, record in records:
                    headers = [(name, text.encode()) for name, text in record.headers.items()]
                    key = record.key.encode()
                    sent.append(producer.send(wire, record.value, key, headers or None, partition=partition))
        except (KafkaError, ValueError) as error:  # ValueError: it knows no such partition (yet)
            raise explained(error, self._settings) from error
        if time.monotonic() - began > LINGER / 2:
            # We were stopped for so long that a batch may have left without its rest.
            raise Unavailable("the publisher was held up and begins anew", mend="Try again.")
        with contextlib.suppress(KafkaError):
            producer.flush(self._patience)
        for future in sent:
            if not future.succeeded():
                raise explained(future.exception or KafkaError("no answer"), self._settings)

    @property
    def _patience(self) -> float:
        """Seconds within which a record that was sent is appended, or will not be sent any more."""
        return LINGER + self._settings.request_timeout.total_seconds()

    def _open(self) -> Any:
        routes = dict(self._table.routes)
        grown = any(
            name in self._made_for and self._made_for[name].partitions < route.partitions
            for name, route in routes.items()
        )
        if grown:
            self._discard()  # it would know the new partitions only when its metadata is too old
        if self._producer is None:
            self._producer = connect(
                KafkaProducer,
                self._settings,
                client_id="curbside-publisher",
                enable_idempotence=True,
                acks="all",
                max_in_flight_requests_per_connection=5,
                linger_ms=round(LINGER * 1000),
                batch_size=_MAX_BATCH_BYTES,
                max_request_size=_MAX_BATCH_BYTES,
                delivery_timeout_ms=round(self._patience * 1000),
                max_block_ms=milliseconds(self._settings.request_timeout),
                allow_auto_create_topics=False,
                metrics_enabled=False,
            )
            self._made_for = routes
        return self._producer

    def _discard(self) -> None:
        """Drop the producer with whatever it still holds: its records were reported as not published."""
        producer, self._producer = self._producer, None
        if producer is None:
            return
        # close() would flush first, and so send what we have given up.
        producer._sender.force_close()
        producer._sender.join(self._settings.request_timeout.total_seconds())
        with contextlib.suppress(KafkaError):
            producer.close(timeout=0)

    @staticmethod
    def _fail(calls: Sequence[_Call], error: CurbsideError) -> None:
        for call in calls:
            call.error = call.error or error
