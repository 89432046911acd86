"""When a consent begins and ends, sealed: the clear times go, from the disk too."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from curbside.storage.migrate import ring_of
from curbside.storage.periods import open_period, seal_period
from curbside.storage.remaking import copy_rows, remade
from curbside.storage.tables import UtcDateTime

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _remake(_clear_times(), _sealed_times(), _seal)


def downgrade() -> None:
    """Raises DamagedPeriod where a period does not open: a denial without its times would be none."""
    _remake(_sealed_times(), _clear_times(), _open)


def _clear_times() -> list[sa.Column[Any]]:
    return [
        sa.Column("effective_at", UtcDateTime(), nullable=False),
        sa.Column("ends_at", UtcDateTime(), nullable=True),
    ]


def _sealed_times() -> list[sa.Column[Any]]:
    return [sa.Column("period", sa.LargeBinary, nullable=False)]


def _seal(row: dict[str, Any]) -> dict[str, Any]:
    begin, end = row.pop("effective_at"), row.pop("ends_at")
    bound = {"tenant": row["tenant"], "consent_id": row["consent_id"]}
    return {**row, "period": seal_period(begin, end, **bound, ring=ring_of(op))}


def _open(row: dict[str, Any]) -> dict[str, Any]:
    bound = {"tenant": row["tenant"], "consent_id": row["consent_id"]}
    begin, end = open_period(row.pop("period"), **bound, ring=ring_of(op))
    return {**row, "effective_at": begin, "ends_at": end}


def _remake(before: list[sa.Column[Any]], after: list[sa.Column[Any]], change: Any) -> None:
    with remade(op, "consents", constraints=["pk_consents"], indexes=["ix_consents_subject"]) as former:
        made = op.create_table(
            "consents",
            *_others(),
            *after,
            sa.PrimaryKeyConstraint("tenant", "consent_id", name="pk_consents"),
        )
        op.create_index("ix_consents_subject", "consents", ["tenant", "subject"])
        copy_rows(op, sa.Table(former, sa.MetaData(), *_others(), *before), made, change)


def _others() -> list[sa.Column[Any]]:
    return [
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("consent_id", sa.String(64), nullable=False),
        sa.Column("subject", sa.String(128), nullable=False),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("scope", sa.String(64), nullable=False),
        sa.Column("decision", sa.String(16), nullable=False),
    ]
