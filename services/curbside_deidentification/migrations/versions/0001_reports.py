"""What became of each report, with inbox, outbox and audit."""

import sqlalchemy as sa
from alembic import op

from curbside.storage.migrate import create_platform_tables
from curbside.storage.tables import UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_platform_tables(op)
    op.create_table(
        "reports",
        sa.Column("report_id", sa.String(64), nullable=False),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("subject", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("reason", sa.String(64), nullable=True),
        sa.Column("report_type", sa.String(64), nullable=False),
        sa.Column("source", sa.String(128), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("authored_at", sa.String(40), nullable=False),
        sa.Column("spans_by_category", sa.JSON(), nullable=False),
        sa.Column("risk", sa.Float(), nullable=False),
        sa.Column("policy", sa.String(128), nullable=False),
        sa.Column("releasable", sa.Boolean(), nullable=False),
        sa.Column("original", sa.JSON(), nullable=False),
        sa.Column("result", sa.JSON(), nullable=True),
        sa.Column("safe", sa.JSON(), nullable=True),
        sa.Column("handled_at", UtcDateTime(), nullable=False),
        sa.Column("decided_at", UtcDateTime(), nullable=True),
        sa.Column("decided_by", sa.String(128), nullable=True),
        sa.PrimaryKeyConstraint("report_id", name="pk_reports"),
    )
    op.create_index("ix_reports_state", "reports", ["state"])
    op.create_table(
        "displaced",
        sa.Column("report_id", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("displaced_by", sa.String(64), nullable=False),
        sa.Column("displaced_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("report_id", name="pk_displaced"),
    )


def downgrade() -> None:
    op.execute("DELETE FROM inbox")  # what was handled goes, and may be handled again
    op.drop_table("displaced")
    op.drop_table("reports")
