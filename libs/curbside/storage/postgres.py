"""PostgreSQL: a schema and a role per service, so that no service reads another's tables.

Provisioning makes roles, schemas and grants as an administrator, and says what it did; each service then
migrates its own schema as its own role. Two schemas are nobody's service: `identity` (tokens, which every
service may read and only `curbside_identity` write) and `keys` (wrapped data keys, a table per zone, granted
to the services that `zones.GRANTS` lets into the zone).
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg import sql
from sqlalchemy import URL
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from curbside.errors import OperatorError, Unavailable
from curbside.settings import DatabaseSettings, Profile
from curbside.storage.directories import private_directory, sync
from curbside.storage.zones import GRANTS, Zone

IDENTITY: Final = "identity"
KEYS_SCHEMA: Final = "keys"
# What has a schema and a role of its own.
OWNERS: Final = (*GRANTS, IDENTITY)
_DRIVER: Final = "postgresql+psycopg"
_URL_SETTING: Final = "CURBSIDE_DATABASE__URL"
# PostgreSQL 15: the oldest whose `public` schema is closed to everyone, which the grants below rely on.
_OLDEST: Final = 150000
# libpq: a server that does not answer is given up, a dead connection found out (seconds).
_CONNECT: Final = {
    "connect_timeout": "10",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "tcp_user_timeout": "30000",  # milliseconds
}
# What libpq says where TLS never came about; "SSL connection has been closed" is a server that stopped.
_NO_TLS: Final = ("certificate", "does not support SSL", "no encryption", "SSL error")
_CUT_OFF: Final = "unexpected eof"  # a server that stopped in the middle of it
_OPEN_TO_PUBLIC: Final = """
SELECT 1 FROM pg_database, aclexplode(coalesce(datacl, acldefault('d', datdba))) AS entry
WHERE datname = current_database() AND entry.grantee = 0 AND entry.privilege_type = 'CONNECT'
"""


class BadDatabaseUrl(OperatorError):
    code = "operator.bad-database-url"


class MissingPassword(OperatorError):
    code = "operator.missing-password"


class DatabaseRefused(OperatorError):
    """The server answers and lets us in no further: a password, a right or a database is wrong."""

    code = "operator.database-refused"


def role_of(owner: str) -> str:
    return f"curbside_{owner}"


def checked_url(settings: DatabaseSettings, profile: Profile) -> URL:
    """The URL of the settings, as given. Raises BadDatabaseUrl saying what is wrong with it.

    A production profile takes only connections whose server has proven who it is.
    """
    try:
        url = make_url(settings.url or "")
    except ArgumentError:
        raise BadDatabaseUrl(f"{_URL_SETTING} is not a URL: write postgresql://HOST:PORT/NAME.") from None
    if url.drivername not in ("postgresql", _DRIVER) or not url.host or not url.database:
        raise BadDatabaseUrl(f"{_URL_SETTING} must be postgresql://HOST:PORT/NAME.")
    if url.username or url.password:
        raise BadDatabaseUrl(
            f"{_URL_SETTING} must name no user and no password: each service connects as its own role, with "
            "the password in CURBSIDE_DATABASE__PASSWORD_DIR."
        )
    if profile is Profile.PRODUCTION and url.query.get("sslmode") != "verify-full":
        raise BadDatabaseUrl(
            f"{_URL_SETTING} needs sslmode=verify-full (and sslrootcert=FILE) in the production profile: "
            "records must not cross a network to a server that has not proven who it is."
        )
    return url.set(drivername=_DRIVER)


def owner_url(settings: DatabaseSettings, profile: Profile, owner: str, *, schema: str | None = None) -> URL:
    """How `owner` connects: its role and password, with `schema` (its own by default) on the search path."""
    options = " ".join(
        (
            f"-c search_path={schema or owner}",
            f"-c statement_timeout={_milliseconds(settings.statement_timeout)}",
            f"-c lock_timeout={_milliseconds(settings.lock_timeout)}",
            "-c timezone=UTC",
            # A client that vanished holds its locks until the server knows: not for two hours. A transaction
            # idles longest while the relay waits for Kafka (CURBSIDE_KAFKA__REQUEST_TIMEOUT, 20 s).
            "-c idle_in_transaction_session_timeout=120000",
            "-c tcp_keepalives_idle=30 -c tcp_keepalives_interval=10 -c tcp_keepalives_count=3",
            "-c tcp_user_timeout=30000",
        )
    )
    return (
        checked_url(settings, profile)
        .set(username=role_of(owner), password=password_of(settings, owner))
        .update_query_dict({"application_name": f"curbside-{owner}", "options": options, **_CONNECT})
    )


def password_of(settings: DatabaseSettings, owner: str) -> str:
    path = _password_path(settings, owner)
    try:
        password = path.read_text().strip()
    except OSError as error:
        raise MissingPassword(
            f"the password of {role_of(owner)} cannot be read from {str(path)!r} ({error.strerror}): "
            "mount it from your secret store, or let curbside provision make it."
        ) from None
    if not password:
        raise MissingPassword(f"the file {str(path)!r} is empty: it must hold one password.")
    return password


def _password_path(settings: DatabaseSettings, owner: str) -> Path:
    if settings.password_dir is None:
        raise MissingPassword(
            "CURBSIDE_DATABASE__PASSWORD_DIR is not set: name the directory that holds "
            "curbside_<service>.password."
        )
    return settings.password_dir.expanduser() / f"{role_of(owner)}.password"


def _milliseconds(limit: Any) -> int:
    return int(limit.total_seconds() * 1000)


def refusal(error: BaseException | None) -> str | None:
    """Why the server refuses us, where waiting would change nothing; None for anything that may pass."""
    said = str(error)
    state = getattr(error, "sqlstate", None) or ""
    # 28: authentication, 3D: no such database, 42501: no right. A refused login comes without a state.
    if state.startswith(("28", "3D")) or "authentication failed" in said or "no password supplied" in said:
        return "it does not accept this role and password"
    if 'database "' in said and "does not exist" in said:
        return "it has no such database"
    if any(words in said for words in _NO_TLS) and _CUT_OFF not in said:
        return "no trusted TLS connection comes about (sslmode and sslrootcert of the URL)"
    if state == "42501":
        return "this role lacks a right"
    return None


@dataclass(frozen=True)
class _Grant:
    """The services that may read and write one table of the keys schema."""

    zone: Zone
    services: tuple[str, ...]


def _grants() -> Iterator[_Grant]:
    for zone in Zone:
        yield _Grant(zone, tuple(service for service, zones in GRANTS.items() if zone in zones))


def provision(settings: DatabaseSettings, profile: Profile, admin_url: str) -> list[str]:
    """Make roles, schemas, the key tables and grants; idempotent. Return what was done, line by line.

    `admin_url` is a PostgreSQL URL of a role that may create roles, in the database of the settings. In
    development a missing password is made; in production it must have been mounted (MissingPassword).
    """
    checked_url(settings, profile)
    passwords = {owner: _password_to_set(settings, profile, owner) for owner in OWNERS}
    with _connected(admin_url) as connection:
        if connection.info.server_version < _OLDEST:
            raise DatabaseRefused(
                f"the server is PostgreSQL {connection.info.server_version // 10000}: use 15 or newer."
            )
        with connection.transaction():
            return list(_provisioned(connection, passwords))


def _provisioned(connection: psycopg.Connection, passwords: Mapping[str, str]) -> Iterator[str]:
    # One at a time: two at once would both find a role missing.
    connection.execute("SELECT pg_advisory_xact_lock(hashtext('curbside provision'))")
    database = sql.Identifier(connection.info.dbname)
    connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(database))
    for owner, password in passwords.items():
        role = role_of(owner)
        made = _ensure_role(connection, role, password)
        connection.execute(
            sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(database, sql.Identifier(role))
        )
        there = connection.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", (owner,)).fetchone()
        # An administrator that is no superuser may give a schema only to a role that it may become.
        connection.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(sql.Identifier(role)))
        if not there:
            connection.execute(
                sql.SQL("CREATE SCHEMA {} AUTHORIZATION {}").format(
                    sql.Identifier(owner), sql.Identifier(role)
                )
            )
        yield f"role {role} {'made' if made else 'there'}, schema {owner} {'there' if there else 'made'}"
    connection.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    if connection.execute(_OPEN_TO_PUBLIC).fetchone():
        yield (
            f"database {connection.info.dbname}: every role of this server may still connect, because the "
            "administrator does not own it; let its owner run REVOKE ALL ON DATABASE … FROM PUBLIC"
        )
    yield from _provision_keys(connection)


def _provision_keys(connection: psycopg.Connection) -> Iterator[str]:
    schema = sql.Identifier(KEYS_SCHEMA)
    connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(schema))
    for grant in _grants():
        table = sql.SQL("{}.{}").format(schema, sql.Identifier(grant.zone.value))
        connection.execute(
            sql.SQL(
                "CREATE TABLE IF NOT EXISTS {} (tenant text NOT NULL, subject text NOT NULL, "
                "wrapped bytea NOT NULL, created_at double precision NOT NULL, PRIMARY KEY (tenant, subject))"
            ).format(table)
        )
        everyone = sql.SQL(", ").join(sql.Identifier(role_of(owner)) for owner in OWNERS)
        connection.execute(sql.SQL("REVOKE ALL ON {} FROM PUBLIC, {}").format(table, everyone))
        for service in grant.services:
            role = sql.Identifier(role_of(service))
            connection.execute(sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(schema, role))
            connection.execute(
                sql.SQL("GRANT SELECT, INSERT, UPDATE, DELETE ON {} TO {}").format(table, role)
            )
        yield f"data keys of {grant.zone}: for {', '.join(grant.services)}"


def open_tokens_to_services(settings: DatabaseSettings, profile: Profile) -> None:
    """Let every service read the tokens' hashes, and nothing else of identity's; as their owner, once its
    migrations have made the table."""
    url = owner_url(settings, profile, IDENTITY)
    options: dict[str, Any] = {"user": url.username, "password": url.password, "host": url.host}
    options |= {"port": url.port, "dbname": url.database, **url.query}
    with _connected(**options) as connection:
        for owner in GRANTS:
            role = sql.Identifier(role_of(owner))
            connection.execute(
                sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(sql.Identifier(IDENTITY), role)
            )
            connection.execute(sql.SQL("GRANT SELECT ON tokens TO {}").format(role))


def _ensure_role(connection: psycopg.Connection, role: str, password: str) -> bool:
    mark = f"curbside: {connection.info.dbname}"
    there = connection.execute(
        "SELECT shobj_description(oid, 'pg_authid') FROM pg_roles WHERE rolname = %s", (role,)
    ).fetchone()
    if there and there[0] not in (None, mark):
        # Roles are the server's, not a database's: another installation would lose its passwords to us.
        raise DatabaseRefused(
            f"the role {role} belongs to another installation on this server ({there[0]}): use a server of "
            "its own for each."
        )
    statement = "ALTER ROLE {} LOGIN PASSWORD {}" if there else "CREATE ROLE {} LOGIN PASSWORD {}"
    # The verifier, not the password: a server may log statements.
    verifier = connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()
    connection.execute(sql.SQL(statement).format(sql.Identifier(role), sql.Literal(verifier)))
    connection.execute(sql.SQL("COMMENT ON ROLE {} IS {}").format(sql.Identifier(role), sql.Literal(mark)))
    return not there


def _password_to_set(settings: DatabaseSettings, profile: Profile, owner: str) -> str:
    path = _password_path(settings, owner)
    if profile is Profile.DEVELOPMENT and not path.exists():
        private_directory(path.parent)
        scratch = path.with_suffix(f".{secrets.token_hex(4)}")
        try:
            descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(secrets.token_urlsafe(24) + "\n")
                file.flush()
                os.fsync(file.fileno())
            with suppress(FileExistsError):  # another process was first: its password stands
                os.link(scratch, path)
            sync(path.parent)
        finally:
            scratch.unlink(missing_ok=True)
    return password_of(settings, owner)


@contextmanager
def _connected(url: str = "", **options: Any) -> Iterator[psycopg.Connection]:
    try:
        given = {"connect_timeout": 10, **options}
        with psycopg.connect(url.replace(f"{_DRIVER}:", "postgresql:"), autocommit=True, **given) as it:
            yield it
    except psycopg.OperationalError as error:
        why = refusal(error)
        if why is not None:
            raise DatabaseRefused(f"PostgreSQL refuses to be provisioned: {why}.") from None
        raise Unavailable(
            "PostgreSQL does not answer", mend=f"Check that it runs and {_URL_SETTING}."
        ) from None
    except psycopg.errors.InsufficientPrivilege as error:
        raise DatabaseRefused(
            f"the administrator's role may not do this ({error.diag.message_primary}): use one that may "
            "create roles and schemas."
        ) from None
    except psycopg.errors.InternalError:
        # "tuple concurrently updated": roles are the server's, our lock is the database's.
        raise Unavailable(
            "something else changes this server's roles", mend="Run curbside provision again."
        ) from None
