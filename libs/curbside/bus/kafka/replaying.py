"""Replaying: dead letters go back to their topic, and leave the dead-letter topic only then."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, Final, TypeVar

from kafka import KafkaConsumer
from kafka.errors import KafkaError
from kafka.structs import OffsetAndMetadata

from curbside.bus.delivery import DEAD_LETTER_HEADERS
from curbside.bus.kafka.admin import REPLAY_GROUP, Admin
from curbside.bus.kafka.client import connect, explained, milliseconds, wire_group
from curbside.bus.protocol import Record
from curbside.contracts.topics import DEAD_LETTER_SUFFIX
from curbside.settings import KafkaSettings

_AT_ONCE: Final = 500
ResultT = TypeVar("ResultT")
Run = Callable[[Callable[[], Any]], Awaitable[Any]]


async def replay(
    topic: str,
    settings: KafkaSettings,
    *,
    publish: Callable[[Sequence[Record]], Awaitable[None]],
    admin: Admin,
    run: Run,
) -> int:
    """Publish the dead letters that are there now; return how many.

    The position behind them is committed after each lot, and they are deleted: whatever happens in between,
    the next replay begins with what is not certainly published.
    """
    dlq = topic + DEAD_LETTER_SUFFIX
    group = wire_group(settings, REPLAY_GROUP, dlq)
    ends = {
        where: end for where, end in (await run(lambda: admin.ends(admin.partitions(dlq)))).items() if end
    }
    if not ends or not await run(partial(admin.waiting, dlq, group)):
        return 0
    lots = await run(partial(_Lots, settings, group, ends))
    count = 0
    try:
        while found := await run(lots.read):
            records = [
                Record(topic, (one.key or b"").decode(errors="replace"), one.value, _headers(one))
                for one in itertools.chain.from_iterable(found.values())
            ]
            await publish(records)
            count += len(records)
            done = {where: ones[-1].offset + 1 for where, ones in found.items()}
            await run(partial(lots.commit, done))
            await run(partial(admin.delete_before, done))
    finally:
        await run(lots.close)
    return count


class _Lots:
    """The dead letters that wait, some at a time. Blocks."""

    def __init__(self, settings: KafkaSettings, group: str, ends: dict[Any, int]) -> None:
        self._settings = settings
        self._ends = ends
        self._timeout = milliseconds(settings.request_timeout)
        self._consumer = connect(
            KafkaConsumer,
            settings,
            client_id="curbside-replay",
            group_id=group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            allow_auto_create_topics=False,
            max_poll_records=_AT_ONCE,
            metrics_enabled=False,
        )
        self._consumer.assign(list(ends))

    def read(self) -> dict[Any, list[Any]]:
        """The next of them by partition; empty when all that stood there at the beginning were read."""
        try:
            while any(self._position(where) < end for where, end in self._ends.items()):
                polled = self._consumer.poll(timeout_ms=200)
                found = {
                    where: [one for one in ones if one.offset < self._ends[where]]
                    for where, ones in polled.items()
                }
                if any(found.values()):
                    return {where: ones for where, ones in found.items() if ones}
        except KafkaError as error:
            raise explained(error, self._settings) from error
        return {}

    def commit(self, positions: dict[Any, int]) -> None:
        offsets = {where: OffsetAndMetadata(position, "", -1) for where, position in positions.items()}
        try:
            self._consumer.commit(offsets, timeout_ms=self._timeout)
        except KafkaError as error:
            raise explained(error, self._settings) from error

    def close(self) -> None:
        self._consumer.close(autocommit=False)

    def _position(self, where: Any) -> int:
        return self._consumer.position(where, timeout_ms=self._timeout) or 0


def _headers(one: Any) -> dict[str, str]:
    return {
        name: text.decode(errors="replace") for name, text in one.headers if name not in DEAD_LETTER_HEADERS
    }
