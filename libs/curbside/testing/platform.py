"""A real platform, nothing faked: on the halves that the settings name, with its files in one directory."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from fastapi import FastAPI

from curbside.bus.kafka import KafkaBus
from curbside.bus.protocol import Bus, Record, Subscription
from curbside.contracts.events import Event, decode, encode
from curbside.contracts.topics import TOPICS, Topic
from curbside.identity.principal import Role
from curbside.identity.tokens import Tokens
from curbside.runtime.platform import key_ring, open_bus, open_objects, open_platform, open_tokens
from curbside.runtime.services import Platform, Service, load_package
from curbside.runtime.web import create_app
from curbside.settings import BusSettings, RuntimeSettings
from curbside.storage.relay import publish_waiting
from curbside.storage.zones import Zone

FAST_BUS = BusSettings(
    first_backoff=timedelta(milliseconds=1),
    max_backoff=timedelta(milliseconds=20),
    poll_interval=timedelta(milliseconds=5),
    partitions=2,
)


@dataclass
class TestPlatform:
    """One service on a real platform. `app` serves its routes, with rights, over ASGI."""

    __test__ = False  # a name that begins with Test is not always a test

    platform: Platform
    service: Service
    app: FastAPI
    tokens: Tokens
    bus: Bus

    async def token(self, *roles: Role, tenant: str = "default") -> str:
        return await self.tokens.issue("test", [*roles], tenant=tenant, actor="test")

    async def headers(self, *roles: Role) -> dict[str, str]:
        return {"authorization": f"Bearer {await self.token(*roles)}"}

    def stored(self, zone: Zone) -> list[str]:
        """The names of a zone's blobs."""
        return list(open_objects(self.platform.settings).names(f"{zone.value}/"))

    async def published(self, topic: Topic) -> list[Event]:
        """Relay the outbox, and return every event of `topic` from the log's start."""
        while await publish_waiting(self.platform.database, self.bus):
            continue
        return await read_topic(self.bus, topic)

    async def deliver(self, event: Event) -> None:
        """Hand `event` to this service's subscriptions of its topic, as the bus would."""
        for subscription in self.service.subscriptions:
            if subscription.topic == event.topic:
                await subscription.handle(decode(encode(event)))


async def read_topic(bus: Bus, topic: Topic) -> list[Event]:
    """Every event of `topic`, read by a group of its own so that nobody's position moves."""
    group = f"reader-{uuid.uuid4().hex}"
    waiting = await bus.lag(topic.name, group)
    events: list[Event] = []
    if waiting:
        done = asyncio.Event()

        async def collect(event: Event) -> None:
            events.append(event)
            if len(events) >= waiting:
                done.set()

        reading = asyncio.create_task(bus.consume(Subscription(topic, group, collect)))
        await asyncio.wait_for(done.wait(), 30)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
    return events


async def publish(bus: Bus, events: Sequence[Event]) -> None:
    await bus.publish([Record(event.topic.name, event.key, encode(event)) for event in events])


@asynccontextmanager
async def open_test_platform(
    name: str, directory: Path, *, settings: RuntimeSettings | None = None
) -> AsyncIterator[TestPlatform]:
    """Service `name` on a platform in `directory`; background tasks and consumers are not started."""
    settings = settings or RuntimeSettings(data_dir=directory, min_free_disk_bytes=0)
    ring = key_ring(settings)
    bus = open_bus(settings, FAST_BUS)
    package = load_package(name)
    platform = await asyncio.to_thread(open_platform, settings, package, bus=bus, ring=ring)
    tokens, identity = await asyncio.to_thread(open_tokens, settings, ring)
    service = package.build(platform)
    if isinstance(bus, KafkaBus):
        # A service's own topics and those that it reads, narrow: each partition costs the broker some files,
        # and hundreds of tests share one.
        read = {subscription.topic for subscription in service.subscriptions}
        mine = [topic for topic in TOPICS.values() if topic.producer == name or topic in read]
        await bus.provision([replace(topic, partitions=FAST_BUS.partitions) for topic in mine])
    app = create_app([service], tokens=tokens, settings=settings, checks={"bus": bus.check})
    try:
        yield TestPlatform(platform, service, app, tokens, bus)
    finally:
        for stop in service.stop:
            await stop()
        await platform.database.close()
        await identity.close()
        await bus.close()
