"""Receipts, reports and their histories, with inbox, outbox and audit."""

import sqlalchemy as sa
from alembic import op

from curbside.storage.migrate import create_platform_tables
from curbside.storage.tables import BigId, UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_platform_tables(op)
    op.create_table(
        "receipts",
        sa.Column("report_id", sa.String(32), nullable=False),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("received_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("report_id", name="pk_receipts"),
    )
    op.create_index("ix_receipts_tenant", "receipts", ["tenant"])
    op.create_table(
        "reports",
        sa.Column("report_id", sa.String(32), nullable=False),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("source", sa.String(64), nullable=False),
        sa.Column("identity", sa.String(64), nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("subject", sa.String(64), nullable=False),
        sa.Column("external_id", sa.LargeBinary, nullable=True),
        sa.Column("type", sa.String(40), nullable=False),
        sa.Column("status", sa.String(32), nullable=False),
        sa.Column("authored_at", sa.LargeBinary, nullable=True),
        sa.Column("media_type", sa.String(64), nullable=False),
        sa.Column("original", sa.JSON, nullable=False),
        sa.Column("text", sa.JSON, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("reason", sa.String(128), nullable=False),
        sa.Column("received_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("report_id", name="pk_reports"),
        sa.UniqueConstraint("tenant", "identity", "revision", name="uq_reports_identity"),
    )
    op.create_index("ix_reports_state", "reports", ["tenant", "state", "report_id"])
    op.create_table(
        "history",
        sa.Column("id", BigId, autoincrement=True, nullable=False),
        sa.Column("report_id", sa.String(32), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("reason", sa.String(128), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_history"),
        sa.ForeignKeyConstraint(["report_id"], ["reports.report_id"], name="fk_history_report_id_reports"),
    )
    op.create_index("ix_history_report_id", "history", ["report_id"])


def downgrade() -> None:
    op.execute("DELETE FROM inbox")  # what was handled goes, and may be handled again
    op.drop_table("history")
    op.drop_table("reports")
    op.drop_table("receipts")
