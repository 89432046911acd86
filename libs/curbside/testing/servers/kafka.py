"""A Kafka broker on this machine: Apache Kafka itself where Java and Maven are, else a stand-in that says so.

`broker` chooses for the tests; `LocalKafka` is Apache Kafka, and `python -m curbside.testing.servers.kafka`
(`make up-kafka`) holds one in the foreground.
"""

from __future__ import annotations

import argparse
import base64
import logging
import secrets
import shutil
import subprocess
import sys
import uuid
from collections.abc import Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from string import Template
from typing import Final, Literal, Protocol, get_args

from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from curbside.errors import OperatorError
from curbside.settings import KafkaSettings, RuntimeSettings, load
from curbside.testing.servers.certificates import write_certificates, write_secret
from curbside.testing.servers.process import (
    LocalServer,
    ServerDidNotStart,
    free_ports,
    hold,
    listens,
    start_child,
    taken,
    terminate,
    wait_until,
)

SecurityProtocol = Literal["PLAINTEXT", "SASL_SSL", "SSL"]
Mechanism = Literal["SCRAM-SHA-256", "SCRAM-SHA-512"]
User = Literal["curbside", "stranger"]

_ASSEMBLY: Final = Path(__file__).resolve().parents[4] / "deploy" / "kafka" / "local"
# The first compiler alone: a broker of tests ends before the second pays. 384 MB leave room for their load.
_JAVA_OPTIONS: Final = ("-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto")
_LOGGING: Final = (
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    # It says who failed to authenticate, and by what; clients often see no more than a closed connection.
    "-Dorg.slf4j.simpleLogger.log.org.apache.kafka.common.network.Selector=info",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
)


class NoKafka(OperatorError):
    code = "operator.no-kafka"


class Broker(Protocol):
    """What the tests know of a broker, whichever it is."""

    @property
    def name(self) -> str:
        """Which broker it is, and where: for the summary of a test run."""

    @property
    def bootstrap_servers(self) -> str:
        """Where it answers in PLAINTEXT, as "host:port"."""

    def settings(self, protocol: SecurityProtocol = "PLAINTEXT", *, topic_prefix: str = "") -> KafkaSettings:
        """How Curbside reaches it. Raises NoKafka where it has no such listener."""

    def stop(self) -> None: ...


class LocalKafka(LocalServer):
    """Apache Kafka with all its files in `directory`, on `ports` or free ones, kept over restarts.

    Two users have random passwords, made with the directory: `curbside`, who may do all, and `stranger`, who
    may do nothing. What was acknowledged survives `kill` (it is in the page cache), not the loss of power.
    Start it from a thread that lives as long as it is needed: the broker dies with it.
    """

    def __init__(
        self,
        directory: Path,
        *,
        plaintext_port: int | None = None,
        sasl_ssl_port: int | None = None,
        ssl_port: int | None = None,
        controller_port: int | None = None,
        java_options: Sequence[str] = _JAVA_OPTIONS,
    ) -> None:
        super().__init__(directory.expanduser().resolve())
        free = free_ports(4)
        self.ports: dict[SecurityProtocol, int] = {
            "PLAINTEXT": plaintext_port or free[0],
            "SASL_SSL": sasl_ssl_port or free[1],
            "SSL": ssl_port or free[2],
        }
        self._controller_port = controller_port or free[3]
        self._java_options = tuple(java_options)
        self._jars: Path | None = None

    @property
    def name(self) -> str:
        version = self._jars.name.partition("-")[0] if self._jars else "not started"
        return f"Apache Kafka {version} at {self.bootstrap_servers}"

    @property
    def bootstrap_servers(self) -> str:
        return self.servers("PLAINTEXT")

    @property
    def log(self) -> Path:
        return self.directory / "broker.log"

    @property
    def ca_file(self) -> Path:
        return self.directory / "ca.pem"

    def servers(self, protocol: SecurityProtocol) -> str:
        return f"127.0.0.1:{self.ports[protocol]}"

    def password_file(self, user: User = "curbside") -> Path:
        return self.directory / f"{user}.password"

    def settings(
        self,
        protocol: SecurityProtocol = "PLAINTEXT",
        *,
        topic_prefix: str = "",
        user: User = "curbside",
        mechanism: Mechanism = "SCRAM-SHA-512",
    ) -> KafkaSettings:
        """How Curbside reaches the listener that speaks `protocol`: SASL_SSL as `user` by password, SSL by
        the certificate of `curbside`."""
        sasl, certificate = protocol == "SASL_SSL", protocol == "SSL"
        return _settings(
            self.servers(protocol),
            topic_prefix=topic_prefix,
            security_protocol=protocol,
            sasl_mechanism=mechanism,
            username=user if sasl else None,
            password_file=self.password_file(user) if sasl else None,
            ca_file=self.ca_file if sasl or certificate else None,
            certificate_file=self.directory / "client.pem" if certificate else None,
            key_file=self.directory / "client.key" if certificate else None,
        )

    def start(self) -> None:
        """Make the directory's broker where there is none, and answer when this returns.

        Raises NoKafka without Java, Maven or Maven Central, ServerDidNotStart where a port is taken.
        """
        if self._process is not None and self._process.poll() is None:
            return
        for port in (*self.ports.values(), self._controller_port):
            if taken(port):
                raise ServerDidNotStart(
                    f"port {port} is taken",
                    mend="Stop what listens there, or name another in a file for --processes.",
                )
        self._jars = self._jars or _assembled_jars()
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._configure()
        if not self._made.exists():
            self._make()
        self._process = start_child(
            self._java("kafka.Kafka", self._configuration), log=self.log, cwd=self.directory
        )
        wait_until(self._answers, self._process, f"Kafka in {str(self.directory)!r}", log=self.log)

    def restart(self) -> None:
        self.stop()
        self.start()

    @property
    def _configuration(self) -> Path:
        return self.directory / "server.properties"

    @property
    def _made(self) -> Path:
        """There once the directory is whole: a format cut short is done again."""
        return self.directory / "cluster-id"

    def _configure(self) -> None:
        template = Template((_ASSEMBLY / "server.properties").read_text())
        self._configuration.write_text(
            template.substitute(
                log_dir=self.directory / "log",
                controller_port=self._controller_port,
                plaintext_port=self.ports["PLAINTEXT"],
                sasl_ssl_port=self.ports["SASL_SSL"],
                ssl_port=self.ports["SSL"],
                server_pem=self.directory / "server.pem",
                ca_pem=self.ca_file,
            )
        )

    def _make(self) -> None:
        """Certificates, passwords, and the formatted directory that knows them."""
        shutil.rmtree(self.directory / "log", ignore_errors=True)
        write_certificates(self.directory)
        credentials = []
        for user in get_args(User):
            password = secrets.token_hex(24)
            write_secret(self.password_file(user), f"{password}\n".encode())
            credentials += [
                f"--add-scram={mechanism}=[name={user},password={password}]"
                for mechanism in get_args(Mechanism)
            ]
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()
        # By a file, not by arguments: those are everybody's to read while it runs.
        arguments = self.directory / "format.arguments"
        command = self._java(
            *("kafka.tools.StorageTool", "format", f"--cluster-id={cluster}"),
            *(f"--config={self._configuration}", *credentials),
        )
        write_secret(arguments, "\n".join(f'"{one}"' for one in command[1:]).encode())
        done = subprocess.run(
            [command[0], f"@{arguments}"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        arguments.unlink()
        if "UnsupportedClassVersionError" in done.stdout:
            raise NoKafka("Apache Kafka needs Java 17 or newer, and the 'java' that is found first is older.")
        if done.returncode != 0:
            raise ServerDidNotStart(f"Kafka could not format {str(self.directory)!r}:\n{done.stdout[-2000:]}")
        self._made.write_text(cluster + "\n")

    def _java(self, main_class: str, *arguments: str | Path) -> list[str]:
        options = (*self._java_options, *_LOGGING, "-cp", f"{self._jars}/*")
        return ["java", *options, main_class, *map(str, arguments)]

    def _answers(self) -> bool:
        """Whether it, and not another that has its port, is in its cluster."""
        if not listens(self.ports["PLAINTEXT"]):
            return False
        with suppress(KafkaError, OSError), _admin(self.bootstrap_servers) as admin:
            return bool(admin.describe_cluster()["cluster_id"] == self._made.read_text().strip())
        return False


class GivenBroker:
    """A broker that somebody else runs, reached in PLAINTEXT: what CURBSIDE_TEST_KAFKA names."""

    def __init__(self, servers: str) -> None:
        self._servers = servers

    @property
    def name(self) -> str:
        return f"the broker of CURBSIDE_TEST_KAFKA at {self._servers}"

    @property
    def bootstrap_servers(self) -> str:
        return self._servers

    def settings(self, protocol: SecurityProtocol = "PLAINTEXT", *, topic_prefix: str = "") -> KafkaSettings:
        return _plaintext_settings(self, protocol, topic_prefix)

    def stop(self) -> None:
        """It is not ours to stop."""


class StandIn:
    """noida-db, which speaks Kafka's protocol: no TLS, no SASL, no ACLs, and nothing survives kill -9.

    `reason` says why it stands in.
    """

    def __init__(self, directory: Path, *, reason: str) -> None:
        self.directory = directory
        self.reason = reason
        self._port = free_ports(1)[0]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def name(self) -> str:
        return f"the stand-in noida-db at {self.bootstrap_servers} ({self.reason})"

    @property
    def bootstrap_servers(self) -> str:
        return f"127.0.0.1:{self._port}"

    def settings(self, protocol: SecurityProtocol = "PLAINTEXT", *, topic_prefix: str = "") -> KafkaSettings:
        return _plaintext_settings(self, protocol, topic_prefix)

    def start(self) -> None:
        """Raises NoKafka where it is not installed: it comes with the development group alone."""
        package = find_spec("noida_db")
        if package is None or package.origin is None:
            raise NoKafka(f"{self.reason} The stand-in, noida-db, is not installed either: run make setup.")
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        log = self.directory / "broker.log"
        # Not by its command: that starts this as a child, which outlives it.
        program = Path(package.origin).with_name("noida-db")
        program.chmod(0o755)  # as its command does: the wheel may not say so
        self._process = start_child(
            [
                *(program, "start", "--only", "kafka", "--kafka-port", str(self._port)),
                *("--data-dir", self.directory / "data"),
            ],
            log=log,
            cwd=self.directory,
        )
        wait_until(self._answers, self._process, "noida-db", log=log)

    def stop(self) -> None:
        if self._process is not None:
            terminate(self._process)
            self._process = None

    def _answers(self) -> bool:
        return listens(self._port) and _answers(self.bootstrap_servers)


def broker(directory: Path, *, given: str | None = None) -> Broker:
    """A broker that answers: the one at `given` ("host:port"), else Apache Kafka in `directory`, else the
    stand-in, whose `reason` says why. Raises NoKafka where there is none at all."""
    if given:
        if not _answers(given):
            raise NoKafka(f"no broker answers at {given!r} in PLAINTEXT, which CURBSIDE_TEST_KAFKA names.")
        return GivenBroker(given)
    apache = LocalKafka(directory / "apache")
    try:
        apache.start()
    except NoKafka as why:
        stand_in = StandIn(directory / "stand-in", reason=why.message)
        stand_in.start()
        return stand_in
    return apache


def _assembled_jars() -> Path:
    script = _ASSEMBLY / "assemble.py"
    if not script.exists():
        raise NoKafka(f"Apache Kafka is assembled by {script}, which only a checkout of the repository has.")
    cache = load(RuntimeSettings).cache
    done = subprocess.run(
        [sys.executable, str(script), "--cache", str(cache)], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise NoKafka(done.stderr.strip())
    return Path(done.stdout.strip())


def _admin(servers: str) -> KafkaAdminClient:
    """A client of a broker that counts itself among its cluster's. Raises KafkaError after 2 s without."""
    return KafkaAdminClient(bootstrap_servers=servers, bootstrap_timeout_ms=2_000)


def _answers(servers: str) -> bool:
    with suppress(KafkaError, OSError), _admin(servers):
        return True
    return False


def _settings(
    servers: str,
    *,
    topic_prefix: str,
    security_protocol: SecurityProtocol,
    sasl_mechanism: Mechanism = "SCRAM-SHA-512",
    username: str | None = None,
    password_file: Path | None = None,
    ca_file: Path | None = None,
    certificate_file: Path | None = None,
    key_file: Path | None = None,
) -> KafkaSettings:
    """Every field that says where and as whom, so that none comes from the environment; one copy of all."""
    return KafkaSettings(
        bootstrap_servers=servers,
        topic_prefix=topic_prefix,
        security_protocol=security_protocol,
        sasl_mechanism=sasl_mechanism,
        username=username,
        password_file=password_file,
        ca_file=ca_file,
        certificate_file=certificate_file,
        key_file=key_file,
        replication_factor=1,
        min_insync_replicas=1,
    )


def _plaintext_settings(broker: Broker, protocol: SecurityProtocol, topic_prefix: str) -> KafkaSettings:
    if protocol != "PLAINTEXT":
        raise NoKafka(f"{broker.name} is reached in PLAINTEXT alone, not by {protocol}.")
    return _settings(broker.bootstrap_servers, topic_prefix=topic_prefix, security_protocol="PLAINTEXT")


def main() -> None:
    """Hold a broker in the foreground: `make up-kafka`."""
    parser = argparse.ArgumentParser(description="Apache Kafka on the loopback address, until Ctrl-C.")
    parser.add_argument(
        "--data", type=Path, default=Path(".curbside/kafka"), help="its files; default %(default)s"
    )
    parser.add_argument("--port", type=int, default=9092, help="PLAINTEXT; default %(default)s")
    parser.add_argument("--controller-port", type=int, default=9093, help="default %(default)s")
    parser.add_argument("--sasl-ssl-port", type=int, default=9094, help="default %(default)s")
    parser.add_argument("--ssl-port", type=int, default=9095, help="client certificates; default %(default)s")
    arguments = parser.parse_args()
    # The client that asks whether it is up already; what goes wrong stands in the broker's own log.
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    kafka = LocalKafka(
        arguments.data,
        plaintext_port=arguments.port,
        controller_port=arguments.controller_port,
        sasl_ssl_port=arguments.sasl_ssl_port,
        ssl_port=arguments.ssl_port,
    )
    hold(kafka, lambda: _introduction(kafka))


def _introduction(kafka: LocalKafka) -> str:
    settings = kafka.settings("SASL_SSL")
    variables = {
        "BOOTSTRAP_SERVERS": settings.bootstrap_servers,
        "SECURITY_PROTOCOL": settings.security_protocol,
        "SASL_MECHANISM": settings.sasl_mechanism,
        "USERNAME": settings.username,
        "PASSWORD_FILE": settings.password_file,
        "CA_FILE": settings.ca_file,
        "REPLICATION_FACTOR": settings.replication_factor,
        "MIN_INSYNC_REPLICAS": settings.min_insync_replicas,
    }
    exports = "\n".join(f"  export CURBSIDE_KAFKA__{name}={value}" for name, value in variables.items())
    return (
        f"{kafka.name} (PLAINTEXT), {kafka.servers('SASL_SSL')} (SASL_SSL), {kafka.servers('SSL')} (SSL)\n"
        f"files in {kafka.directory}; its log is {kafka.log}\n"
        f"To use it:\n{exports}\nCtrl-C stops it."
    )


if __name__ == "__main__":
    main()
