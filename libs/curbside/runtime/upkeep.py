"""Upkeep of a data directory by its operator: tokens, audit, migrations, dead letters."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import closing
from datetime import timedelta

from rich.console import Console
from rich.table import Table

from curbside.contracts.topics import TOPICS
from curbside.errors import BadInput, OperatorError
from curbside.runtime.kinds import Kind, check_whole, kind_of
from curbside.runtime.platform import (
    halves,
    key_ring,
    open_bus,
    open_data_keys,
    open_database,
    open_outside_bus,
    open_tokens,
)
from curbside.runtime.services import SERVICES, load_package
from curbside.settings import Profile, RuntimeSettings
from curbside.storage.keys import DataKeys, KeyRing
from curbside.storage.postgres import IDENTITY
from curbside.storage.zones import GRANTS, Zone


class NoInstallation(OperatorError):
    code = "operator.no-installation"


def _check_there(settings: RuntimeSettings) -> None:
    """Raise NoInstallation where nothing ran yet: a mistyped place must not pass for one that is in order."""
    if halves(settings).database.url is None and not (settings.data / f"{IDENTITY}.db").exists():
        check_whole(settings.data, kind_of(settings.data) or Kind.EMBEDDED)
        raise NoInstallation(
            f"there is no installation at {str(settings.data)!r}: name its directory with --data or "
            "CURBSIDE_RUNTIME__DATA_DIR."
        )


class UnknownTopic(BadInput):
    code = "bus.unknown-topic"


class UnknownZone(BadInput):
    code = "storage.unknown-zone"


class NothingWrapped(OperatorError):
    code = "operator.nothing-wrapped"


class Unfinished(OperatorError):
    code = "operator.unfinished"


def verify_audit(settings: RuntimeSettings) -> bool:
    """Print each writer's chain; return whether all hold."""
    _check_there(settings)
    ring = key_ring(settings)
    # As they are: whoever only looks must not move a schema under running services.
    databases = [open_database(settings, ring, load_package(name), migrated=False) for name in SERVICES]
    databases.append(open_tokens(settings, ring)[1])

    async def verify() -> bool:
        table = Table("writer", "records that hold", "first that does not")
        whole = True
        for database in databases:
            held, broken = await database.verify_audit()
            whole = whole and broken is None
            table.add_row(
                database.service, str(held), f"{broken.sequence}: {broken.reason}" if broken else "none"
            )
            await database.close()
        Console().print(table)
        return whole

    return asyncio.run(verify())


def create_token(settings: RuntimeSettings, roles: Sequence[str], name: str, days: int) -> str:
    _check_there(settings)
    tokens, database = open_tokens(settings, key_ring(settings))

    async def create() -> str:
        try:
            return await tokens.issue(
                name, roles, tenant=settings.tenant, actor="curbside token", lifetime=timedelta(days=days)
            )
        finally:
            await database.close()

    return asyncio.run(create())


def revoke_token(settings: RuntimeSettings, token_id: str) -> None:
    _check_there(settings)
    tokens, database = open_tokens(settings, key_ring(settings))

    async def revoke() -> None:
        try:
            await tokens.revoke(token_id, actor="curbside token")
        finally:
            await database.close()

    asyncio.run(revoke())


def bus_status(settings: RuntimeSettings) -> None:
    _check_there(settings)

    async def status() -> None:
        bus = open_bus(settings)
        table = Table("topic", "dead letters")
        for topic in TOPICS:
            table.add_row(topic, str(await bus.dead_letters(topic)))
        await bus.close()
        Console().print(table)

    asyncio.run(status())


def replay(settings: RuntimeSettings, topic: str) -> int:
    if topic not in TOPICS:
        raise UnknownTopic(
            f"there is no topic {topic!r}", field="topic", mend=f"Use one of {', '.join(TOPICS)}."
        )

    _check_there(settings)

    async def run() -> int:
        bus = open_bus(settings)
        try:
            return await bus.replay(topic)
        finally:
            await bus.close()

    return asyncio.run(run())


def grow_topic(settings: RuntimeSettings, topic: str, partitions: int | None) -> list[str]:
    """Give a topic more partitions, or, without a number, undo an interrupted growth; what was done."""
    if topic not in TOPICS:
        raise UnknownTopic(
            f"there is no topic {topic!r}", field="topic", mend=f"Use one of {', '.join(TOPICS)}."
        )

    _check_there(settings)

    async def run() -> list[str]:
        bus = open_outside_bus(settings)
        if bus is None:
            raise OperatorError(
                "the embedded log's partitions are fixed when it is made: only Kafka's topics grow "
                "(CURBSIDE_KAFKA__BOOTSTRAP_SERVERS is not set)."
            )
        try:
            if partitions is not None:
                return await bus.grow(topic, partitions)
            undone = await bus.abort_growth(topic)
            return [f"{topic}: {'as it was before' if undone else 'nothing to undo'}"]
        finally:
            await bus.close()

    return asyncio.run(run())


def migrate_all(settings: RuntimeSettings) -> None:
    _check_there(settings)
    ring = key_ring(settings)

    async def close() -> None:
        for name in SERVICES:
            await (await asyncio.to_thread(open_database, settings, ring, load_package(name))).close()
            Console().print(f"{name}: at the newest revision")
        await (await asyncio.to_thread(open_tokens, settings, ring))[1].close()
        Console().print("identity: at the newest revision")

    asyncio.run(close())


def rotate_key(settings: RuntimeSettings, zone_name: str) -> str:
    """Replace the zone's key-encryption key and wrap its data keys anew; what was done, in a sentence."""
    zone = _zone(zone_name)
    if settings.profile is Profile.PRODUCTION:
        raise OperatorError(
            f"in production keys come from your secret store: mount the new one as kek-{zone}.key and the "
            f"old one as kek-{zone}.retired.key, restart the services, then run curbside keys rewrap {zone}."
        )
    _check_there(settings)
    ring = key_ring(settings)
    with closing(_data_keys(settings, ring, zone)) as keys:
        # Before the key is replaced: an empty store may be the wrong one, and the right one lose its key.
        if not keys.readable(zone):
            raise _nothing_wrapped(zone)
        ring.rotate(f"kek-{zone}")
        return _rewrapped(keys, ring, zone)


def rewrap_keys(settings: RuntimeSettings, zone_name: str) -> str:
    """Wrap the zone's data keys with its newest key; what was done, in a sentence."""
    zone = _zone(zone_name)
    _check_there(settings)
    ring = key_ring(settings)
    if settings.profile is not Profile.PRODUCTION and ring.is_half_rotated(f"kek-{zone}"):
        ring.rotate(f"kek-{zone}")
    with closing(_data_keys(settings, ring, zone)) as keys:
        if settings.profile is not Profile.PRODUCTION:
            return _rewrapped(keys, ring, zone)
        count = keys.rewrap(zone)
        opened, total = keys.wrapped_by_newest(zone)
    if not total:  # which says nothing about a key: it may be the wrong store
        raise _nothing_wrapped(zone)
    return (
        f"{count} data keys of {zone} wrapped anew; the new key opens {opened} of {total}. Once this says 0 "
        f"were wrapped and it opens all, take kek-{zone}.retired.key out of the secret"
    )


def _nothing_wrapped(zone: Zone) -> NothingWrapped:
    return NothingWrapped(
        f"there is no data key of {zone} here, and so nothing to wrap anew; nothing was changed",
        mend="Where its data lie on servers of your own, set CURBSIDE_DATABASE__URL.",
    )


def _rewrapped(keys: DataKeys, ring: KeyRing, zone: Zone) -> str:
    """Wrap anew, and let the old key go only once the new one has opened every data key there is."""
    count = keys.rewrap(zone)
    opened, total = keys.wrapped_by_newest(zone)
    if not total:
        return f"there is no data key of {zone} here; kek-{zone}.retired.key stays where it is"
    if opened < total:  # services made some meanwhile, with the key that they knew
        raise Unfinished(
            f"{total - opened} of {total} data keys of {zone} still need kek-{zone}.retired.key, which stays",
            mend=f"Run curbside keys rewrap {zone} again.",
        )
    ring.forget_retired(f"kek-{zone}")
    return f"{count} data keys of {zone} wrapped anew; the new key opens all {total}"


def _data_keys(settings: RuntimeSettings, ring: KeyRing, zone: Zone) -> DataKeys:
    """The store of data keys, as a service that may open the zone."""
    service = next(name for name, zones in GRANTS.items() if zone in zones)
    return open_data_keys(settings, ring, service)


def _zone(name: str) -> Zone:
    try:
        return Zone(name)
    except ValueError:
        raise UnknownZone(
            f"there is no zone {name!r}",
            field="zone",
            mend=f"Use one of {', '.join(Zone)}. Other keys stay: what they named or sealed would be lost.",
        ) from None
