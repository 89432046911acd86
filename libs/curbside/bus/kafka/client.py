"""How Curbside reaches the brokers, and what it says where it cannot.

kafka-python tries for ever to connect and tells nobody why. So one connection is tried before a client is
made: a wrong password, a certificate that nobody signed and a broker that is down become three sentences.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, TypeVar

from kafka.errors import (
    AuthorizationError,
    KafkaConnectionError,
    KafkaError,
    SaslAuthenticationFailedError,
)
from kafka.net.compat import KafkaNetClient

from curbside.bus.kafka import transports
from curbside.errors import OperatorError, Unavailable
from curbside.settings import BadSetting, KafkaSettings, Profile

transports.install()

_WITHOUT_TLS: Final = ("PLAINTEXT", "SASL_PLAINTEXT")
ClientT = TypeVar("ClientT")


_REFUSAL_TRIES: Final = 4


class BusRefused(OperatorError, Unavailable):
    """Kafka answers, and refuses us. An operator must mend it where we start; later it is waited for like an
    outage, because a password may be changed on one side before the other."""

    code = "operator.bus-refused"


def check_security(settings: KafkaSettings, profile: Profile) -> None:
    """Raise BadSetting where `profile` is production and what crosses the network could be read there."""
    if profile is Profile.PRODUCTION and settings.security_protocol in _WITHOUT_TLS:
        raise BadSetting(
            f"CURBSIDE_KAFKA__SECURITY_PROTOCOL is {settings.security_protocol!r}, which the production "
            "profile refuses: set SASL_SSL, or SSL with a client certificate.",
            field="security_protocol",
        )
    if settings.min_insync_replicas > settings.replication_factor:
        raise BadSetting(
            "CURBSIDE_KAFKA__MIN_INSYNC_REPLICAS is larger than CURBSIDE_KAFKA__REPLICATION_FACTOR: "
            "no record would ever count.",
            field="min_insync_replicas",
        )


def check_settings(settings: KafkaSettings, profile: Profile) -> None:
    """Raise BadSetting or BusRefused, naming the setting, where no broker could ever be reached with these:
    at the start, and not from a consumer that tries again for ever."""
    check_security(settings, profile)
    connection(settings)


def wire_topic(settings: KafkaSettings, topic: str) -> str:
    return settings.topic_prefix + topic


def wire_group(settings: KafkaSettings, group: str, topic: str) -> str:
    """A subscription is a Kafka group of its own: a rebalance of one topic then disturbs no other."""
    return f"{settings.topic_prefix}{group}@{topic}"


def milliseconds(duration: timedelta) -> int:
    return round(duration.total_seconds() * 1000)


def connection(settings: KafkaSettings) -> dict[str, Any]:
    """The arguments that every client of kafka-python takes; a changed password is read anew."""
    arguments: dict[str, Any] = {
        "bootstrap_servers": _servers(settings),
        "security_protocol": settings.security_protocol,
        "request_timeout_ms": milliseconds(settings.request_timeout),
        "bootstrap_timeout_ms": milliseconds(settings.request_timeout),
        # kafka-python would wait up to 30 s; a broker restarts in 3 to 10 s.
        "reconnect_backoff_max_ms": 1_000,
        "metadata_max_age_ms": milliseconds(settings.metadata_max_age),
    }
    if settings.security_protocol in ("SSL", "SASL_SSL"):
        arguments["ssl_context"] = _tls(settings)
    if settings.security_protocol.startswith("SASL"):
        arguments |= {
            "sasl_mechanism": settings.sasl_mechanism,
            "sasl_plain_username": settings.username,
            "sasl_plain_password": _password(settings),
        }
    return arguments


def connect(make: Callable[..., ClientT], settings: KafkaSettings, **more: Any) -> ClientT:
    """A client made by `make`, a class of kafka-python. Blocks.

    Raises Unavailable, or BusRefused where an operator must mend something.
    """
    arguments = connection(settings)
    _try_once(settings, arguments)
    made: list[Any] = []

    def net_client(**config: Any) -> Any:
        made.append(KafkaNetClient(**config))
        return made[-1]

    try:
        return make(**{**arguments, **more}, kafka_client=net_client)
    except KafkaError as error:
        # A client whose constructor fails leaves its thread and its sockets behind.
        for client in made:
            client.close()
        raise explained(error, settings) from error


def explained(error: BaseException, settings: KafkaSettings) -> Unavailable:
    """`error` of kafka-python, as what to say and what to do about it."""
    servers = settings.bootstrap_servers
    said = str(error)
    if isinstance(error, Unavailable):
        return error
    # Where the connection ended with it, the error is another one that quotes it.
    if isinstance(error, SaslAuthenticationFailedError) or SaslAuthenticationFailedError.__name__ in said:
        return BusRefused(
            f"Kafka at {servers} refused the password of the user {settings.username!r}",
            mend="Check CURBSIDE_KAFKA__USERNAME and the file of CURBSIDE_KAFKA__PASSWORD_FILE.",
        )
    if "CERTIFICATE_VERIFY_FAILED" in said or "certificate verify failed" in said:
        return BusRefused(
            f"the certificate of Kafka at {servers} is not one that we trust",
            mend="Set CURBSIDE_KAFKA__CA_FILE to the authority that signed it, and "
            "CURBSIDE_KAFKA__BOOTSTRAP_SERVERS to the names that it is made out to.",
        )
    if "Handshake failed" in said and "timed out" not in said:
        return BusRefused(
            f"Kafka at {servers} does not speak TLS with us",
            mend="Check CURBSIDE_KAFKA__SECURITY_PROTOCOL, the port, and, where the brokers ask for one, "
            "CURBSIDE_KAFKA__CERTIFICATE_FILE.",
        )
    if isinstance(error, AuthorizationError):
        return BusRefused(
            f"Kafka does not allow this to the user {settings.username!r}: {type(error).__name__}",
            mend="Grant it by an access control list, as docs/operations.md lists them.",
        )
    return Unavailable(
        f"Kafka at {servers} does not answer ({type(error).__name__})",
        mend="Check that its brokers run and that CURBSIDE_KAFKA__BOOTSTRAP_SERVERS names them.",
    )


def _try_once(settings: KafkaSettings, arguments: dict[str, Any]) -> None:
    """Connect and log in at one of the servers, whichever answers first in their order."""
    failures: list[BaseException] = []
    # A broker that refuses a password closes the connection after it said so, and either may be heard first.
    tries = _REFUSAL_TRIES if settings.security_protocol.startswith("SASL") else 1
    for _ in range(tries):
        failures = _failures(settings, arguments)
        if not failures:
            return
        if not all(isinstance(error, KafkaConnectionError) for error in failures):
            break
        if any(isinstance(explained(error, settings), BusRefused) for error in failures):
            break
    # What a person must mend is worth more than a server of several that is down.
    said = [explained(error, settings) for error in failures]
    raise next((error for error in said if isinstance(error, BusRefused)), said[0]) from failures[0]


def _failures(settings: KafkaSettings, arguments: dict[str, Any]) -> list[BaseException]:
    """What each server failed with, or nothing where one let us in."""
    failures: list[BaseException] = []
    client = KafkaNetClient(
        **{key: value for key, value in arguments.items() if key != "bootstrap_timeout_ms"}
    )
    try:
        manager, net = client._manager, client._net
        for broker in manager.cluster.bootstrap_brokers():
            try:
                connecting = manager.get_connection(
                    broker.node_id,
                    timeout_ms=arguments["request_timeout_ms"],
                    pop_on_close=False,
                    refresh_metadata_on_err=False,
                )
                net.run(_wait_for, connecting)
            except (KafkaError, OSError, ValueError) as error:
                failures.append(error)
            else:
                return []
    finally:
        client.close()
    return failures


async def _wait_for(connecting: Any) -> None:
    await connecting


def _servers(settings: KafkaSettings) -> list[str]:
    servers = [server.strip() for server in (settings.bootstrap_servers or "").split(",")]
    apart = [server.rpartition(":") for server in servers]
    if not all(host and port.isdigit() for host, _, port in apart):
        raise BadSetting(
            'CURBSIDE_KAFKA__BOOTSTRAP_SERVERS must be "host:port", several separated by commas.',
            field="bootstrap_servers",
        )
    return servers


def _tls(settings: KafkaSettings) -> ssl.SSLContext:
    for field in ("ca_file", "certificate_file", "key_file"):
        path: Path | None = getattr(settings, field)
        try:
            if path is not None:
                path.expanduser().read_bytes()
        except OSError as error:
            raise _unreadable(field, f"{str(path)!r} cannot be read ({error.strerror})") from None
    try:
        context = ssl.create_default_context(cafile=settings.ca_file and settings.ca_file.expanduser())
        context.minimum_version = ssl.TLSVersion.TLSv1_2
    except ssl.SSLError:
        raise _unreadable("ca_file", f"{str(settings.ca_file)!r} holds no certificate") from None
    if settings.certificate_file is not None:
        key = settings.key_file and settings.key_file.expanduser()
        try:
            context.load_cert_chain(settings.certificate_file.expanduser(), key)
        except ssl.SSLError:
            raise _unreadable(
                "certificate_file", "it and CURBSIDE_KAFKA__KEY_FILE are no certificate with its key"
            ) from None
    return context


def _unreadable(field: str, why: str) -> BusRefused:
    name = f"CURBSIDE_KAFKA__{field.upper()}"
    return BusRefused(f"{name}: {why}", field=field, mend=f"Mount it, or correct {name}.")


def _password(settings: KafkaSettings) -> str:
    if settings.username is None or settings.password_file is None:
        field = "username" if settings.username is None else "password_file"
        raise BadSetting(
            f"CURBSIDE_KAFKA__SECURITY_PROTOCOL {settings.security_protocol} needs "
            "CURBSIDE_KAFKA__USERNAME and CURBSIDE_KAFKA__PASSWORD_FILE, and "
            f"CURBSIDE_KAFKA__{field.upper()} is not set.",
            field=field,
        )
    path = str(settings.password_file)
    try:
        password = settings.password_file.expanduser().read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is no text"
        raise _unreadable("password_file", f"{path!r} cannot be read ({why})") from None
    if not password:
        raise _unreadable("password_file", f"{path!r} is empty, and must hold one password")
    return password
