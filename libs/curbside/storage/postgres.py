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
# OpenSSL's words for a server that died in the middle of the handshake.
_CUT_OFF: Final = "unexpected eof"


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
    with _administrator(admin_url) as connection:
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
    for owner in GRANTS:
        connection.execute(
            sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(
                sql.Identifier(IDENTITY), sql.Identifier(role_of(owner))
            )
        )
        # Whatever curbside_identity's migrations make: the tokens' hashes are of no use without the key.
        connection.execute(
            sql.SQL("ALTER DEFAULT PRIVILEGES FOR ROLE {} IN SCHEMA {} GRANT SELECT ON TABLES TO {}").format(
                sql.Identifier(role_of(IDENTITY)), sql.Identifier(IDENTITY), sql.Identifier(role_of(owner))
            )
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
        connection.execute(sql.SQL("REVOKE ALL ON {} FROM PUBLIC").format(table))
        for service in grant.services:
            role = sql.Identifier(role_of(service))
            connection.execute(sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(schema, role))
            connection.execute(
                sql.SQL("GRANT SELECT, INSERT, UPDATE, DELETE ON {} TO {}").format(table, role)
            )
        yield f"data keys of {grant.zone}: for {', '.join(grant.services)}"


def _ensure_role(connection: psycopg.Connection, role: str, password: str) -> bool:
    there = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,)).fetchone()
    statement = "ALTER ROLE {} LOGIN PASSWORD {}" if there else "CREATE ROLE {} LOGIN PASSWORD {}"
    # The verifier, not the password: a server may log statements.
    verifier = connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()
    connection.execute(sql.SQL(statement).format(sql.Identifier(role), sql.Literal(verifier)))
    return not there


def _password_to_set(settings: DatabaseSettings, profile: Profile, owner: str) -> str:
    path = _password_path(settings, owner)
    if profile is Profile.DEVELOPMENT and not path.exists():
        private_directory(path.parent)
        with suppress(FileExistsError):
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(secrets.token_urlsafe(24) + "\n")
                file.flush()
                os.fsync(file.fileno())
            sync(path.parent)
    return password_of(settings, owner)


@contextmanager
def _administrator(url: str) -> Iterator[psycopg.Connection]:
    try:
        with psycopg.connect(
            url.replace(f"{_DRIVER}:", "postgresql:"), autocommit=True, connect_timeout=10
        ) as it:
            yield it
    except psycopg.OperationalError as error:
        why = refusal(error)
        if why is not None:
            raise DatabaseRefused(f"PostgreSQL refuses the administrator: {why}.") from None
        raise Unavailable(
            "PostgreSQL does not answer the administrator", mend=f"Check that it runs and {_URL_SETTING}."
        ) from None
    except psycopg.errors.InsufficientPrivilege as error:
        raise DatabaseRefused(
            f"the administrator's role may not do this ({error.diag.message_primary}): use one that may "
            "create roles and schemas."
        ) from None
