"""The `Bus` protocol over Kafka."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from typing import Final, TypeVar

from curbside.bus.kafka.admin import Admin
from curbside.bus.kafka.client import wire_group
from curbside.bus.kafka.consuming import Reader
from curbside.bus.kafka.growing import abort, grow
from curbside.bus.kafka.publishing import Publisher
from curbside.bus.kafka.replaying import replay
from curbside.bus.protocol import Record, Subscription, check_sizes
from curbside.bus.retrying import backoff
from curbside.contracts.topics import TOPICS, Topic
from curbside.errors import Unavailable
from curbside.settings import BusSettings, KafkaSettings
from curbside.telemetry.metrics import LAG

# Five requests each time, of which each member asks for the whole topic.
_LAG_INTERVAL: Final = timedelta(seconds=5)
ResultT = TypeVar("ResultT")


class KafkaBus:
    """Topics must be there (`provision`); nothing is connected before it is needed.

    `settings` say where Kafka is, `retry` how often a handler is tried. What blocks has threads of its own.
    """

    def __init__(self, settings: KafkaSettings, retry: BusSettings | None = None) -> None:
        self._settings = settings
        self._retry = retry or BusSettings()
        self._publisher = Publisher(settings)
        self._admin = Admin(settings)
        self._threads = ThreadPoolExecutor(4, thread_name_prefix="kafka-admin")

    async def publish(self, records: Sequence[Record]) -> None:
        check_sizes(records)
        await self._publisher.publish(records)

    async def consume(self, subscription: Subscription) -> None:
        reader = Reader(subscription, self._settings, self._retry, self._publish_dead_letter)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._measure(subscription, reader))
            tasks.create_task(reader.run())

    async def replay(self, topic: str) -> int:
        return await replay(topic, self._settings, publish=self.publish, admin=self._admin, run=self._run)

    async def lag(self, topic: str, group: str) -> int:
        return await self._run(partial(self._admin.waiting, topic, wire_group(self._settings, group, topic)))

    async def dead_letters(self, topic: str) -> int:
        return await self._run(partial(self._admin.dead_letters, topic))

    async def check(self) -> None:
        await self._run(self._admin.check)

    async def close(self) -> None:
        await self._publisher.close()
        await asyncio.to_thread(self._admin.close)
        self._threads.shutdown(wait=False)

    async def provision(self, topics: Iterable[Topic] = TOPICS.values()) -> list[str]:
        """Make the topics that are missing, with their dead letters, and correct what differs in the others;
        return what was done, one line each. Nothing is deleted, nothing shrinks, and no partition is added
        where there are records: that is `grow`. Raises BusRefused where Kafka will not.
        """
        return await self._run(partial(self._admin.provision, list(topics)))

    async def grow(
        self, topic: str, partitions: int, *, patience: timedelta = timedelta(minutes=10)
    ) -> list[str]:
        """Give `topic` more `partitions`, keeping every key's order; return what was done.

        Meanwhile nothing is published to it: outboxes keep what happens, for at least `quiet_after` (24 s)
        and until every group has finished what stood there. Raises NotDrained after `patience`, and leaves
        the topic as it was. Interrupted, it is continued by another call, or undone by `abort_growth`. Two at
        once for one topic are not prevented: do not.
        """
        return await grow(
            topic, partitions, self._settings, admin=self._admin, run=self._run, patience=patience
        )

    async def abort_growth(self, topic: str) -> bool:
        """Undo a growth that was interrupted; False where there was none."""
        return await abort(topic, admin=self._admin, run=self._run)

    async def _publish_dead_letter(self, record: Record) -> None:
        """Until it stands: the position of its group moves only then."""
        attempt = 0
        while True:
            attempt += 1
            try:
                return await self._publisher.publish([record])
            except Unavailable:
                await asyncio.sleep(backoff(attempt, self._retry).total_seconds())

    async def _measure(self, subscription: Subscription, reader: Reader) -> None:
        """Show how far the group is behind, in all partitions (members of a group show the same), and let
        `reader` see whether it stands still."""
        topic, group = subscription.topic.name, subscription.group
        ask = partial(self._admin.waiting_in, topic, wire_group(self._settings, group, topic))
        interval = min(_LAG_INTERVAL, self._settings.stall_timeout / 2)
        while True:
            try:
                waiting = await self._run(ask)
            except Unavailable:
                reader.watch({})  # nobody can be expected to move
            else:
                LAG.labels(topic=topic, group=group).set(sum(waiting.values()))
                reader.watch(waiting)
            await asyncio.sleep(interval.total_seconds())

    async def _run(self, work: Callable[[], ResultT]) -> ResultT:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)
