"""Consuming: one subscription's KafkaConsumer, on a thread of its own; handlers run on the loop.

The thread polls whether or not handlers are busy, so that a long handler does not cost the membership; what
it fetches is bounded, because a partition whose records wait is paused. It alone talks to the group: it
commits what the loop has finished. A partition that is taken away is first finished with on the loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from concurrent.futures import Future
from datetime import timedelta
from typing import Any, Final

from kafka import KafkaConsumer
from kafka.consumer.subscription_state import (
    AsyncConsumerRebalanceListener,
)
from kafka.coordinator.assignors.cooperative_sticky import (
    CooperativeStickyAssignor,
)
from kafka.errors import KafkaError
from kafka.net.selector import KernelEvent
from kafka.structs import MemberState, OffsetAndMetadata

from curbside.bus.delivery import Delivery
from curbside.bus.kafka.client import connect, milliseconds, wire_group, wire_topic
from curbside.bus.protocol import MAX_RECORD_BYTES, Record, Subscription
from curbside.errors import Unavailable
from curbside.settings import BusSettings, KafkaSettings

log = logging.getLogger(__name__)

# How long the thread waits for records while nothing is being handled; it cannot be woken there.
_IDLE: Final = timedelta(milliseconds=250)
# How often it looks for records of other partitions, and commits, while something is.
_BUSY: Final = timedelta(milliseconds=20)
# What waits for a handler, in one partition, before the partition is paused. One poll may go over it.
_WAITING_RECORDS: Final = 100
_WAITING_BYTES: Final = 4 * MAX_RECORD_BYTES
_FETCH_BYTES: Final = 8 * MAX_RECORD_BYTES
# How long closing may take before the thread is left to itself: a broker that is down answers nothing.
_CLOSE: Final = timedelta(seconds=10)
# After a consumer failed as a whole.
_AGAIN: Final = timedelta(seconds=1)
# A handler that takes longer is told of, once for each such time: it holds up what stands behind it.
_LONG: Final = timedelta(minutes=5)

Publish = Callable[[Record], Awaitable[None]]


class StoodStill(KafkaError):  # type: ignore[misc]
    """Records wait, nothing is being handled, and none arrives."""


class _Revoked(Exception):
    """The partition goes to another member: what is in hand is finished, the rest is not begun."""


class _Partition:
    """The records of a partition that wait for their handler. The thread appends, the loop takes."""

    def __init__(self) -> None:
        self.waiting: deque[Any] = deque()
        self.appended_bytes = 0  # written by the thread alone
        self.taken_bytes = 0  # written by the loop alone
        self.in_hand = False
        self.taken_at = 0.0  # when what is in hand was taken, or was last told of
        self.paused = False  # the thread's own note
        self.revoked = False
        self.finished: int | None = None  # the position behind what is done with
        self.committed: int | None = None
        self.arrived = asyncio.Event()
        self.task: asyncio.Task[None] | None = None

    @property
    def busy(self) -> bool:
        return self.in_hand or bool(self.waiting)

    def is_over(self, records: int) -> bool:
        return len(self.waiting) >= records or self.appended_bytes - self.taken_bytes >= _WAITING_BYTES

    def append(self, records: Iterable[Any]) -> None:
        for record in records:
            self.appended_bytes += len(record.value or b"")
            self.waiting.append(record)

    def take(self, most: int) -> list[Any]:
        self.in_hand = True  # before anything is taken: the thread must not see it idle in between
        self.taken_at = time.monotonic()
        taken = [self.waiting.popleft() for _ in range(min(most, len(self.waiting)))]
        self.taken_bytes += sum(len(record.value or b"") for record in taken)
        return taken


class Reader(AsyncConsumerRebalanceListener):  # type: ignore[misc]
    """Feeds one subscription. `publish` must not return before the dead letter is durable."""

    def __init__(
        self, subscription: Subscription, kafka: KafkaSettings, retry: BusSettings, publish: Publish
    ) -> None:
        self._subscription = subscription
        self._kafka = kafka
        self._publish = publish
        self._loop = asyncio.get_running_loop()
        self._delivery = Delivery(subscription, retry)
        self._partitions: dict[Any, _Partition] = {}
        self._stopping = threading.Event()
        self._wake = threading.Event()
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._consumer: Any = None
        self._failure: Exception | None = None  # of a task on the loop: the thread begins anew
        self._assignor = CooperativeStickyAssignor()
        self._thread: threading.Thread | None = None
        self._handed_over = 0  # records; written by the thread alone
        # What had been handed over when it began to stand still, and when that was.
        self._watched: tuple[int, float] | None = None
        self._limit = max(subscription.batch_size if subscription.handle_batch else _WAITING_RECORDS, 1)

    async def run(self) -> None:
        """Feed until cancelled; then what is finished is committed, and the group is left."""
        name = f"kafka-{self._subscription.group}@{self._subscription.topic.name}"
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()
        try:
            await asyncio.shield(self._ended)
        finally:
            self._stopping.set()
            self._wake.set()
            await self._cancel(self._partitions.values())
            await asyncio.wait({self._ended}, timeout=_CLOSE.total_seconds())

    def watch(self, waiting: Mapping[Any, int]) -> None:
        """Begin anew where this consumer stands still though records wait in its partitions: `waiting`
        counts them. Called now and then, on the loop.

        kafka-python has states in which it fetches no more and says nothing: seen once in some hundred
        restarts of a broker.
        """
        consumer, now = self._consumer, time.monotonic()
        for where, partition in self._partitions.items():
            if partition.in_hand and now - partition.taken_at >= _LONG.total_seconds():
                partition.taken_at = now
                self._tell("handler has not ended", partition=where.partition)
        if consumer is None or not self._is_behind(consumer, waiting):
            self._watched = None
        elif self._watched is None or self._watched[0] != self._handed_over:
            self._watched = (self._handed_over, now)
        elif now - self._watched[1] >= self._kafka.stall_timeout.total_seconds():
            self._watched = None
            self._tell("consumer stands still", frames=_frames(self._thread))
            if self._failure is None:
                self._failure = failure = StoodStill()
                self._wake.set()
                grace = self._kafka.request_timeout.total_seconds()
                self._loop.call_later(grace, self._unblock, consumer, failure)

    def _is_behind(self, consumer: Any, waiting: Mapping[Any, int]) -> bool:
        """Whether there is something to do for this member, and it does nothing."""
        if any(partition.busy for partition in self._partitions.values()):
            return False
        # A member that is not of the group, or stays in a rebalance, has no partitions to go by.
        settled = consumer.group_metadata().state is MemberState.STABLE
        ours = set(consumer.assignment()) if settled else set(waiting)
        return any(count and where in ours for where, count in waiting.items())

    def _unblock(self, consumer: Any, failure: Exception) -> None:
        """End the wait of a thread that has not seen `failure`: it waits for kafka-python's own."""
        if self._failure is failure and consumer is self._consumer:
            stop = consumer._client._net.stop
            threading.Thread(target=stop, args=(milliseconds(_CLOSE) // 2,), daemon=True).start()

    # On the thread

    def _run(self) -> None:
        while not self._stopping.is_set():
            consumer = None
            try:
                consumer = self._open()
                self._poll(consumer)
            except Exception as error:
                self._complain("consumer begins anew", error)
                self._stopping.wait(_AGAIN.total_seconds())
            finally:
                if consumer is not None:
                    self._close(consumer)
        with contextlib.suppress(RuntimeError):  # the loop may be gone
            self._loop.call_soon_threadsafe(self._ended.cancel)

    def _open(self) -> Any:
        topic, group = self._subscription.topic.name, self._subscription.group
        # The setting is the time until somebody else handles: beyond the session there is the rebalance.
        session = int(0.6 * milliseconds(self._kafka.session_timeout))
        self._assignor.member_assignment = None
        consumer = connect(
            KafkaConsumer,
            self._kafka,
            client_id=f"curbside-{group}",
            group_id=wire_group(self._kafka, group, topic),
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            partition_assignment_strategy=[self._assignor],
            session_timeout_ms=session,
            # A rebalance is noticed with a heartbeat, so they are more frequent than the usual third.
            heartbeat_interval_ms=max(100, min(1_000, session // 6)),
            # The others wait so long for one that does not rejoin; it must outlast the wait for a handler.
            max_poll_interval_ms=milliseconds(self._kafka.revoke_timeout) + 30_000,
            max_poll_records=max(self._limit, 1),
            fetch_max_bytes=_FETCH_BYTES,
            max_partition_fetch_bytes=2 * MAX_RECORD_BYTES,
            allow_auto_create_topics=False,
            metrics_enabled=False,
        )
        self._consumer = consumer
        consumer.subscribe([wire_topic(self._kafka, topic)], listener=self)
        # A leader that does not know the partitions yet would assign none, and everyone would join once more.
        consumer.partitions_for_topic(wire_topic(self._kafka, topic))
        return consumer

    def _poll(self, consumer: Any) -> None:
        committed_at = 0.0
        while not self._stopping.is_set():
            if self._failure is not None:
                failure, self._failure = self._failure, None
                raise failure
            partitions = dict(self._partitions)
            busy = any(partition.busy for partition in partitions.values())
            if not busy or time.monotonic() - committed_at >= _BUSY.total_seconds():
                self._commit(consumer, partitions)
                committed_at = time.monotonic()
            self._resume(consumer, partitions)
            # A rejoin is waited for inside poll(): kafka-python 3.0.12 forgets one that is answered between
            # two polls, and joins once more, so that a group with busy members would hardly come to rest.
            at_once = busy and not consumer._coordinator.need_rejoin()
            records = consumer.poll(timeout_ms=0 if at_once else milliseconds(_IDLE))
            for where, found in records.items():
                self._hand_over(consumer, where, found)
            if at_once and not records and not consumer._coordinator.need_rejoin():
                self._wake.wait(_BUSY.total_seconds())
            self._wake.clear()

    def _hand_over(self, consumer: Any, where: Any, records: list[Any]) -> None:
        partition = self._partitions.get(where)
        if partition is None:
            partition = self._partitions[where] = _Partition()
        partition.append(records)
        self._handed_over += len(records)
        if not partition.paused and partition.is_over(self._limit):
            consumer.pause(where)
            partition.paused = True
        self._loop.call_soon_threadsafe(self._feed, where, partition)

    def _resume(self, consumer: Any, partitions: dict[Any, _Partition]) -> None:
        for where, partition in partitions.items():
            if partition.paused and not partition.is_over(self._limit // 2 + 1):
                consumer.resume(where)
                partition.paused = False
        # kafka-python 3.0.12 gives a resumed partition its parked records back only when the slot that this
        # names is None, and leaves a used-up buffer of another partition in it: then they would stay parked.
        fetcher = consumer._fetcher
        if fetcher._next_partition_records is not None and not fetcher._next_partition_records:
            fetcher._next_partition_records = None

    def _commit(self, consumer: Any, partitions: dict[Any, _Partition]) -> None:
        finished = _unnoted(partitions)
        # While the group makes up its mind nobody may commit; what is finished is committed after that.
        if finished and consumer.group_metadata().state is MemberState.STABLE:
            try:
                consumer.commit(_offsets(finished), timeout_ms=milliseconds(self._kafka.request_timeout))
            except KafkaError as error:  # it stays unnoted, and is committed with what follows
                self._complain("position not committed", error)
                self._stopping.wait(_BUSY.total_seconds())
            else:
                for where, position in finished.items():
                    partitions[where].committed = position

    def _close(self, consumer: Any) -> None:
        try:
            # on_partitions_revoked commits what is finished before the group is left.
            consumer.close(autocommit=False, timeout_ms=milliseconds(_CLOSE) // 2)
        except Exception as error:
            self._complain("group not left", error)
        # Whatever the group was told, nothing of this consumer may be handled beside its successor.
        self._on_loop(self._lose(list(self._partitions)))

    def _complain(self, what: str, error: BaseException) -> None:
        known = isinstance(error, KafkaError | Unavailable)
        log.warning(
            what,
            extra={
                "topic": self._subscription.topic.name,
                "group": self._subscription.group,
                "error": error.sentence if isinstance(error, Unavailable) else type(error).__name__,
            },
            # An unexpected error needs its frames; the formatter drops its message.
            exc_info=None if known else error,
        )

    def _tell(self, what: str, **more: Any) -> None:
        named = {"topic": self._subscription.topic.name, "group": self._subscription.group}
        log.warning(what, extra=named | more)

    def _on_loop(self, work: Any) -> None:
        """Run the coroutine `work` on the loop, and wait for it as long as a handler may take to end."""
        done = self._begin(work)
        if done is not None:
            with contextlib.suppress(TimeoutError, Exception):
                done.result(self._kafka.revoke_timeout.total_seconds())

    def _begin(self, work: Any) -> Future[Any] | None:
        try:
            return asyncio.run_coroutine_threadsafe(work, self._loop)
        except RuntimeError:  # the loop is gone, and with it every handler
            work.close()
            return None

    # On kafka-python's own thread, while ours is within poll() or close()

    async def on_partitions_assigned(self, assigned: set[Any]) -> None:
        """Their records make themselves known."""

    async def on_partitions_revoked(self, revoked: set[Any]) -> None:
        positions = await self._wait_for(self._give_up(list(revoked)))
        if not positions:
            return
        committing = self._consumer.commit_async(_offsets(positions))
        deadline = time.monotonic() + _CLOSE.total_seconds() / 2
        while not committing.is_done and time.monotonic() < deadline:
            await KernelEvent("_sleep", 0.005)
        if not committing.succeeded():
            error = committing.exception or KafkaError("a commit was not answered")
            self._complain("position not committed", error)

    async def on_partitions_lost(self, lost: set[Any]) -> None:
        # kafka-python would go on to claim them, and so be given what another member now owns.
        self._assignor.member_assignment = None
        await self._wait_for(self._lose(list(lost)))

    async def _wait_for(self, work: Any) -> Any:
        """What the coroutine `work` returns on our loop, without keeping this one from its heartbeats."""
        done = self._begin(work)
        deadline = time.monotonic() + self._kafka.revoke_timeout.total_seconds() + 1
        while done is not None and not done.done():
            if time.monotonic() > deadline:
                return None
            await KernelEvent("_sleep", 0.005)
        return done.result() if done is not None else None

    # On the loop

    def _feed(self, where: Any, partition: _Partition) -> None:
        partition.arrived.set()
        if partition.task is None and not partition.revoked:
            partition.task = asyncio.create_task(self._handle(where.partition, partition))
            partition.task.add_done_callback(self._note_failure)

    def _note_failure(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and isinstance(error := task.exception(), Exception):
            self._failure = error
            self._wake.set()

    async def _handle(self, number: int, partition: _Partition) -> None:
        topic = self._subscription.topic.name
        most = self._subscription.batch_size if self._subscription.handle_batch else 1

        async def finish(offset: int, dead: Record | None) -> None:
            if dead is not None:
                await self._publish(dead)
            partition.finished = offset + 1
            if partition.revoked:
                raise _Revoked

        with contextlib.suppress(_Revoked):
            while not partition.revoked:
                if not partition.waiting:
                    partition.in_hand = False
                    self._wake.set()  # nothing more to wait for: commit at once
                    partition.arrived.clear()
                    await partition.arrived.wait()
                    continue
                taken = partition.take(most)
                if partition.paused and not partition.is_over(self._limit // 2 + 1):
                    self._wake.set()
                await self._delivery.in_order(
                    [(one.offset, _record(topic, one)) for one in taken],
                    finish=finish,
                    where=lambda offset: f"{number}/{offset}",
                )

    async def _give_up(self, revoked: list[Any]) -> dict[Any, int]:
        """Let the handlers of `revoked` finish, and return the positions to commit."""
        gone = {where: self._partitions[where] for where in revoked if where in self._partitions}
        for partition in gone.values():
            partition.revoked = True
            partition.arrived.set()
        tasks = {partition.task for partition in gone.values() if partition.task is not None}
        if tasks and not self._stopping.is_set():
            await asyncio.wait(tasks, timeout=self._kafka.revoke_timeout.total_seconds())
        await self._cancel(gone.values())
        positions = _unnoted(gone)
        for where in gone:
            self._partitions.pop(where, None)
        return positions

    async def _lose(self, lost: list[Any]) -> None:
        gone = [self._partitions.pop(where) for where in lost if where in self._partitions]
        await self._cancel(gone)

    @staticmethod
    async def _cancel(partitions: Iterable[_Partition]) -> None:
        tasks = []
        for partition in list(partitions):
            partition.revoked = True
            if partition.task is not None:
                partition.task.cancel()
                tasks.append(partition.task)
        await asyncio.gather(*tasks, return_exceptions=True)


def _record(topic: str, one: Any) -> Record:
    headers = {name: text.decode(errors="replace") for name, text in one.headers}
    return Record(topic, (one.key or b"").decode(errors="replace"), one.value or b"", headers)


def _frames(thread: threading.Thread | None) -> str:
    """Where `thread` is, innermost first."""
    frame = sys._current_frames().get(thread.ident or 0) if thread is not None else None
    stack = traceback.extract_stack(frame) if frame is not None else []
    return " < ".join(f"{one.filename}:{one.lineno} {one.name}" for one in reversed(stack))


def _unnoted(partitions: dict[Any, _Partition]) -> dict[Any, int]:
    """What is finished and not committed, by partition."""
    return {
        where: partition.finished
        for where, partition in partitions.items()
        if partition.finished is not None and partition.finished != partition.committed
    }


def _offsets(positions: dict[Any, int]) -> dict[Any, Any]:
    return {where: OffsetAndMetadata(position, "", -1) for where, position in positions.items()}
