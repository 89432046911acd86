"""The tables that every service's database has: inbox, outbox, audit."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    DateTime,
    Dialect,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    TypeDecorator,
)

# SQLite autoincrements only an INTEGER primary key.
BigId = BigInteger().with_variant(Integer, "sqlite")


class UtcDateTime(TypeDecorator[datetime]):
    """A zone-aware instant, stored in UTC; SQLite, which has no zones, gets the naive UTC value."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a stored instant needs a zone, e.g. datetime.now(UTC)")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def service_metadata() -> MetaData:
    """A MetaData with inbox, outbox and audit; the service adds its own tables to it."""
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    Table(
        "inbox",
        metadata,
        Column("event_id", String(64), primary_key=True),
        Column("group", String(64), primary_key=True),
        Column("handled_at", UtcDateTime(), nullable=False),
    )
    Table(
        "outbox",
        metadata,
        Column("id", BigId, primary_key=True, autoincrement=True),
        Column("event_id", String(64), nullable=False, unique=True),
        Column("topic", String(128), nullable=False),
        Column("key", String(256), nullable=False),
        Column("value", LargeBinary, nullable=False),
        Column("committed_at", UtcDateTime(), nullable=False),
        sqlite_autoincrement=True,
    )
    Table(
        "audit",
        metadata,
        Column("sequence", BigId, primary_key=True, autoincrement=False),
        Column("at", String(40), nullable=False),  # RFC 3339, as hashed
        Column("actor", String(128), nullable=False),
        Column("tenant", String(64), nullable=False),
        Column("action", String(128), nullable=False),
        Column("target", String(256), nullable=False),
        Column("details", JSON, nullable=False),
        Column("previous_hash", String(64), nullable=False),
        Column("hash", String(64), nullable=False, unique=True),
    )
    return metadata
