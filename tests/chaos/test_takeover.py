"""Consumers of one group come, die and come while 50,000 events are published: every event is handled once,
in the order of its patient, and a dead one's partitions are taken over within the session timeout."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from curbside.testing.servers.kafka import LocalKafka
from curbside.testing.takeover import take_over

EVENTS = int(os.environ.get("CURBSIDE_CHAOS_EVENTS", "50000"))


@pytest.mark.timeout(900)
@pytest.mark.parametrize("batches", [False, True], ids=["one by one", "in batches"])
def test_a_dead_consumers_partitions_are_taken_over_in_time_and_in_order(
    tmp_path: Path, batches: bool
) -> None:
    broker = LocalKafka(tmp_path / "kafka")
    broker.start()
    try:
        settings = broker.settings("SASL_SSL", topic_prefix="takeover.")
        done = asyncio.run(take_over(tmp_path, settings, count=EVENTS, batches=batches))
    finally:
        broker.destroy()
    print(done)
    assert done.events >= EVENTS
    assert done.rebalances >= 3
    assert done.missing == 0
    assert done.unordered == ()
    assert done.took_over_after <= settings.session_timeout.total_seconds()
