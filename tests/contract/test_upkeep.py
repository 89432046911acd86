"""What an operator does by hand, on both halves, and where only the data directory says which."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from filelock import FileLock

from curbside.contracts.topics import REPORTS_RECEIVED, TOPICS
from curbside.identity.principal import Role
from curbside.runtime.installation import provide_tokens
from curbside.runtime.kinds import Kind, record_kind, record_servers
from curbside.runtime.platform import halves as chosen_halves
from curbside.runtime.platform import key_ring, open_blobs, open_outside_bus, open_tokens
from curbside.runtime.supervisor import lock_path
from curbside.runtime.upkeep import bus_status, create_token, migrate_all, replay, rotate_key, verify_audit
from curbside.settings import RuntimeSettings
from curbside.storage.zones import Zone


@pytest.fixture
def installation(halves: str, runtime: RuntimeSettings, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """One that ran: of files, or of servers that no variable of this process names, as of `up --full`."""
    if halves == "embedded":
        provide_tokens(runtime)
        migrate_all(runtime)
        yield halves
        return
    named = chosen_halves(runtime)
    provide_tokens(runtime)
    record_kind(runtime, Kind.FULL)
    parts = {"database": named.database, "kafka": named.kafka, "blobs": named.blobs}
    record_servers(
        runtime.data,
        {half: part.model_dump(mode="json", exclude_defaults=True) for half, part in parts.items()},
    )
    for name in [*os.environ]:
        if name.startswith(("CURBSIDE_DATABASE__", "CURBSIDE_KAFKA__", "CURBSIDE_BLOBS__")):
            monkeypatch.delenv(name)
    lock = lock_path(runtime.data, "servers")
    lock.parent.mkdir(exist_ok=True)
    with FileLock(lock):
        asyncio.run(provision(runtime))
        yield halves


async def provision(settings: RuntimeSettings) -> None:
    bus = open_outside_bus(settings)
    assert bus is not None
    # Narrow: each partition costs the broker some files.
    await bus.provision([replace(topic, partitions=2) for topic in TOPICS.values()])
    await bus.close()


def made_beside(data: Path) -> list[Path]:
    """What the embedded halves would have made."""
    return [*data.glob("*.db"), *data.glob("bus"), *data.glob("blobs")]


def test_a_token_that_the_command_prints_is_one_of_the_services(
    installation: str, runtime: RuntimeSettings
) -> None:
    token = create_token(runtime, ["steward"], "ward", 1)

    async def roles() -> frozenset[Role]:
        tokens, database = await asyncio.to_thread(open_tokens, runtime, key_ring(runtime))
        try:
            return frozenset((await tokens.authenticate(token)).roles)
        finally:
            await database.close()

    assert asyncio.run(roles()) == {Role.STEWARD}
    assert installation == "embedded" or not made_beside(runtime.data)


def test_what_only_looks_sees_the_installation(
    installation: str, runtime: RuntimeSettings, capsys: pytest.CaptureFixture[str]
) -> None:
    assert verify_audit(runtime)
    (identity,) = [line for line in capsys.readouterr().out.splitlines() if "identity" in line]
    assert " 2 " in identity  # the two tokens that were provided
    bus_status(runtime)
    assert REPORTS_RECEIVED.name in capsys.readouterr().out
    assert replay(runtime, REPORTS_RECEIVED.name) == 0
    assert installation == "embedded" or not made_beside(runtime.data)


async def test_what_was_sealed_opens_after_its_key_was_replaced(
    installation: str, runtime: RuntimeSettings
) -> None:
    before = await asyncio.to_thread(open_blobs, runtime, key_ring(runtime), "ingestion")
    refs = [
        await before.put(Zone.PHI, b"a report", tenant="default", subject=subject)
        for subject in ("one", "two")
    ]
    old = key_ring(runtime).key("kek-phi")
    said = await asyncio.to_thread(rotate_key, runtime, "phi")
    assert said == "2 data keys of phi wrapped anew; the new key opens all 2"
    assert key_ring(runtime).key("kek-phi") != old
    after = await asyncio.to_thread(open_blobs, runtime, key_ring(runtime), "ingestion")
    for blobs in (before, after):
        assert [await blobs.get(ref) for ref in refs] == [b"a report"] * 2
    assert installation == "embedded" or not made_beside(runtime.data)
