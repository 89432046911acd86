"""The brokers that tests run on keep what the tests of the bus take for granted, and say what they are."""

from __future__ import annotations

import os
import re
import select
import shutil
import signal
import stat
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.errors import KafkaTimeoutError, TopicAuthorizationFailedError

from curbside.settings import KafkaSettings, load
from curbside.testing.servers.certificates import write_certificates
from curbside.testing.servers.kafka import (
    Broker,
    GivenBroker,
    LocalKafka,
    Mechanism,
    NoKafka,
    SecurityProtocol,
    StandIn,
    broker,
)
from curbside.testing.servers.process import ServerDidNotStart, descendants, free_port, free_ports, taken

ASSEMBLY = Path(__file__).resolve().parents[2] / "deploy" / "kafka" / "local"


def client(settings: KafkaSettings, *, password: str | None = None) -> dict[str, Any]:
    """`settings` in kafka-python's words."""
    words: dict[str, Any] = {
        "bootstrap_servers": settings.bootstrap_servers,
        "security_protocol": settings.security_protocol,
        "ssl_cafile": settings.ca_file and str(settings.ca_file),
        "ssl_certfile": settings.certificate_file and str(settings.certificate_file),
        "ssl_keyfile": settings.key_file and str(settings.key_file),
    }
    if settings.password_file is not None:
        words |= {
            "sasl_mechanism": settings.sasl_mechanism,
            "sasl_plain_username": settings.username,
            "sasl_plain_password": password or settings.password_file.read_text().strip(),
        }
    return words


def create_topic(settings: KafkaSettings) -> str:
    topic = f"local-{uuid.uuid4().hex}"
    with KafkaAdminClient(**client(settings)) as admin:
        admin.create_topics({topic: {"num_partitions": 1, "replication_factor": 1}})
    return topic


def publish(settings: KafkaSettings, topic: str, values: list[bytes]) -> None:
    """All of `values`; they are acknowledged when this returns."""
    with KafkaProducer(**client(settings), acks="all") as producer:
        for sent in [producer.send(topic, value) for value in values]:
            sent.get(60)


def read(settings: KafkaSettings, topic: str, count: int) -> list[bytes]:
    """The first `count` values; it waits for them."""
    with KafkaConsumer(topic, **client(settings), auto_offset_reset="earliest", group_id=None) as consumer:
        return [record.value for _, record in zip(range(count), consumer, strict=False)]


def values(count: int) -> list[bytes]:
    return [b"%d" % number for number in range(count)]


def carries(settings: KafkaSettings) -> None:
    topic = create_topic(settings)
    publish(settings, topic, values(20))
    assert read(settings, topic, 20) == values(20)


def test_the_sessions_broker_carries_records(kafka: Broker) -> None:
    carries(kafka.settings())


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_records_go_over_tls_by_password(apache_kafka: LocalKafka, mechanism: Mechanism) -> None:
    carries(apache_kafka.settings("SASL_SSL", mechanism=mechanism))


def test_records_go_over_tls_by_client_certificate(apache_kafka: LocalKafka) -> None:
    carries(apache_kafka.settings("SSL"))


def test_a_wrong_password_is_refused(apache_kafka: LocalKafka) -> None:
    wrong = client(apache_kafka.settings("SASL_SSL"), password="not the password")
    logged = apache_kafka.log.stat().st_size
    with pytest.raises(KafkaTimeoutError):
        KafkaAdminClient(**wrong, bootstrap_timeout_ms=5_000)
    said = apache_kafka.log.read_bytes()[logged:].decode()
    assert "invalid credentials with SASL mechanism SCRAM-SHA-512" in said


def test_a_server_of_another_authority_is_refused(
    apache_kafka: LocalKafka, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_certificates(tmp_path)
    other = apache_kafka.settings("SASL_SSL").model_copy(update={"ca_file": tmp_path / "ca.pem"})
    with pytest.raises(KafkaTimeoutError):
        KafkaAdminClient(**client(other), bootstrap_timeout_ms=5_000)
    assert "CERTIFICATE_VERIFY_FAILED" in caplog.text


def test_a_client_of_another_authority_is_refused(apache_kafka: LocalKafka, tmp_path: Path) -> None:
    write_certificates(tmp_path)
    other = apache_kafka.settings("SSL").model_copy(
        update={"certificate_file": tmp_path / "client.pem", "key_file": tmp_path / "client.key"}
    )
    logged = apache_kafka.log.stat().st_size
    with pytest.raises(KafkaTimeoutError):
        KafkaAdminClient(**client(other), bootstrap_timeout_ms=5_000)
    assert "SSL handshake failed" in apache_kafka.log.read_bytes()[logged:].decode()


def test_who_has_no_rights_may_do_nothing(apache_kafka: LocalKafka) -> None:
    topic = create_topic(apache_kafka.settings("SASL_SSL"))
    stranger = apache_kafka.settings("SASL_SSL", user="stranger")
    with pytest.raises(TopicAuthorizationFailedError):
        create_topic(stranger)
    with pytest.raises(TopicAuthorizationFailedError):
        publish(stranger, topic, values(1))
    with KafkaAdminClient(**client(stranger)) as admin:
        assert topic not in admin.list_topics()


def test_what_was_acknowledged_survives_kill_9(mortal_kafka: LocalKafka) -> None:
    settings = mortal_kafka.settings("SASL_SSL")
    topic = create_topic(settings)
    publish(settings, topic, values(300))
    before = mortal_kafka.pid
    mortal_kafka.kill()
    mortal_kafka.start()
    assert mortal_kafka.pid != before
    # The same ports, password and authority: `settings` still holds.
    publish(settings, topic, [b"after"])
    assert read(settings, topic, 301) == [*values(300), b"after"]


def test_passwords_and_keys_are_for_their_owner_alone(apache_kafka: LocalKafka) -> None:
    secret = {"curbside.password", "stranger.password", "server.pem", "client.key"}
    assert {path.name for path in apache_kafka.directory.iterdir()} >= secret
    for name in secret:
        assert stat.S_IMODE((apache_kafka.directory / name).stat().st_mode) == 0o600
    assert stat.S_IMODE(apache_kafka.directory.stat().st_mode) == 0o700
    passwords = [apache_kafka.password_file(user).read_text() for user in ("curbside", "stranger")]
    assert passwords[0] != passwords[1]


def test_no_password_is_left_in_plain_words_elsewhere(mortal_kafka: LocalKafka) -> None:
    mortal_kafka.stop()  # a running one moves its files
    password = mortal_kafka.password_file().read_bytes().strip()
    files = [path for path in mortal_kafka.directory.rglob("*") if path.is_file()]
    assert [path.name for path in files if password in path.read_bytes()] == ["curbside.password"]
    mortal_kafka.start()


def test_a_taken_port_ends_in_a_sentence(apache_kafka: LocalKafka, tmp_path: Path) -> None:
    second = LocalKafka(tmp_path / "second", plaintext_port=apache_kafka.ports["PLAINTEXT"])
    with pytest.raises(ServerDidNotStart, match=f"port {second.ports['PLAINTEXT']} is taken"):
        second.start()


@pytest.mark.usefixtures("apache_kafka")  # where it is not, this is not either
def test_the_command_prints_what_reaches_its_broker_which_ends_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with up_kafka(tmp_path) as (command, introduction):
        for name, value in re.findall(r"^  export (CURBSIDE_KAFKA__\w+)=(.*)$", introduction, re.M):
            monkeypatch.setenv(name, value)
        settings = load(KafkaSettings)
        assert settings.security_protocol == "SASL_SSL"
        carries(settings)
        command.send_signal(signal.SIGINT)
        assert command.wait(60) == 0
    with up_kafka(tmp_path) as (command, _):
        (java,) = [os.pidfd_open(pid) for pid in descendants(command.pid)]
        command.kill()
        assert select.select([java], [], [], 60)[0], "the broker outlived the command"
        os.close(java)


@contextmanager
def up_kafka(data: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """What `make up-kafka` runs, on free ports, and what it has printed once its broker answers."""
    names = ("--port", "--controller-port", "--sasl-ssl-port", "--ssl-port")
    ports = [f"{name}={port}" for name, port in zip(names, free_ports(4), strict=True)]
    command = subprocess.Popen(
        [sys.executable, "-m", "curbside.testing.servers.kafka", f"--data={data}", *ports],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert command.stdout is not None
    try:
        lines: list[str] = []
        for line in command.stdout:
            lines.append(line)
            if line == "Ctrl-C stops it.\n":
                break
        yield command, "".join(lines)
    finally:
        command.kill()
        command.communicate()


def test_a_given_broker_is_taken_first(kafka: Broker, tmp_path: Path) -> None:
    given = broker(tmp_path, given=kafka.bootstrap_servers)
    assert isinstance(given, GivenBroker)
    assert kafka.bootstrap_servers in given.name
    given.stop()
    carries(given.settings())
    assert list(tmp_path.iterdir()) == []


def test_a_given_broker_that_does_not_answer_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(NoKafka, match="CURBSIDE_TEST_KAFKA"):
        broker(tmp_path, given=f"127.0.0.1:{free_port()}")


def test_without_java_a_stand_in_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    stand_in = broker(tmp_path / "brokers")
    try:
        assert isinstance(stand_in, StandIn)
        assert "noida-db" in stand_in.name
        assert "Apache Kafka needs 'java'" in stand_in.name
        carries(stand_in.settings())
        protocols: list[SecurityProtocol] = ["SASL_SSL", "SSL"]
        for protocol in protocols:
            with pytest.raises(NoKafka, match="PLAINTEXT alone"):
                stand_in.settings(protocol)
    finally:
        stand_in.stop()
    assert not taken(int(stand_in.bootstrap_servers.rpartition(":")[2]))


class Machine:
    """A machine whose Maven does what `mvn` says, as a shell script."""

    def __init__(self, place: Path, mvn: str | None) -> None:
        self.cache = place / "cache"
        self._programs = place / "bin"
        self._programs.mkdir()
        for name in ("sh", "mkdir", "touch"):
            self._programs.joinpath(name).symlink_to(str(shutil.which(name)))
        self._programs.joinpath("java").touch(mode=0o755)
        if mvn is not None:
            program = self._programs / "mvn"
            program.write_text(f"#!/bin/sh\n{mvn}\n")
            program.chmod(0o755)

    def assemble(self) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, ASSEMBLY / "assemble.py", "--cache", self.cache],
            env=os.environ | {"PATH": str(self._programs)},
            capture_output=True,
            text=True,
        )

    @property
    def left(self) -> list[str]:
        """What lies in the cache, but for the lock."""
        home = self.cache / "kafka"
        return [path.name for path in home.iterdir() if path.name != ".lock"] if home.exists() else []


@pytest.mark.parametrize(
    ("mvn", "says"),
    [
        (None, "Apache Kafka needs 'mvn'"),
        ("echo '[ERROR] Unknown host repo.maven.apache.org'; exit 1", "Unknown host repo.maven.apache.org"),
        # The last argument is -DoutputDirectory=…
        (
            'for last; do :; done; to="${last#*=}"; mkdir "$to"; touch "$to/evil.jar"',
            "not what jars.sha256 lists: HdrHistogram",
        ),
    ],
)
def test_what_cannot_be_assembled_as_listed_is_not_there(tmp_path: Path, mvn: str | None, says: str) -> None:
    machine = Machine(tmp_path, mvn)
    done = machine.assemble()
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert machine.left == []


def test_the_lock_lists_the_version_of_the_pom() -> None:
    listed = (ASSEMBLY / "jars.sha256").read_text()
    assert "  kafka_2.13-4.3.1.jar\n" in listed
    assert "<version>4.3.1</version>" in (ASSEMBLY / "pom.xml").read_text()
