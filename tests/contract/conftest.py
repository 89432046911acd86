"""The servers that contract tests share: started by the first test that asks, stopped with the session."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from curbside.testing.servers.kafka import Broker, GivenBroker, LocalKafka, StandIn, broker

_BROKER = pytest.StashKey[str]()


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Broker]:
    """One broker for the session, whichever this machine can have; the summary says which."""
    ours = broker(tmp_path_factory.mktemp("kafka"), given=os.environ.get("CURBSIDE_TEST_KAFKA"))
    request.config.stash[_BROKER] = ours.name
    yield ours
    ours.stop()


@pytest.fixture(scope="session")
def apache_kafka(kafka: Broker) -> LocalKafka:
    """The session's broker where it is Apache Kafka of our own: with TLS, SCRAM and ACLs, and to be killed.

    Who stops or kills it starts it again: others come after.
    """
    if isinstance(kafka, StandIn):
        pytest.skip(
            f"only Apache Kafka has TLS, SCRAM and durability, and this is the stand-in: {kafka.reason}"
        )
    if isinstance(kafka, GivenBroker):
        pytest.skip(
            "the broker of CURBSIDE_TEST_KAFKA is not ours to kill, and is reached in PLAINTEXT alone"
        )
    assert isinstance(kafka, LocalKafka)
    return kafka


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if _BROKER in config.stash:
        terminalreporter.write_line(f"kafka: {config.stash[_BROKER]}")
