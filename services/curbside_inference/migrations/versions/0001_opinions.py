"""Reports that may be asked about, aliases of models, opinions, with inbox, outbox and audit."""

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
        sa.Column("text", sa.JSON(), nullable=False),
        sa.Column("spans", sa.Integer(), nullable=False),
        sa.Column("policy", sa.String(128), nullable=False),
        sa.Column("learned_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("report_id", name="pk_reports"),
    )
    op.create_table(
        "aliases",
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("alias", sa.String(64), nullable=False),
        sa.Column("model_version", sa.String(128), nullable=False),
        sa.Column("base_model", sa.String(256), nullable=False),
        sa.Column("dataset_version", sa.String(128), nullable=False),
        sa.Column("promoted_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "alias", name="pk_aliases"),
    )
    op.create_table(
        "opinions",
        sa.Column("opinion_id", sa.String(64), nullable=False),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("subject", sa.String(64), nullable=False),
        sa.Column("task", sa.String(16), nullable=False),
        sa.Column("model_version", sa.String(128), nullable=False),
        sa.Column("report_id", sa.String(64), nullable=False),
        sa.Column("input", sa.JSON(), nullable=False),
        sa.Column("output", sa.JSON(), nullable=False),
        sa.Column("latency_ms", sa.Integer(), nullable=False),
        sa.Column("asked_by", sa.String(128), nullable=False),
        sa.Column("given_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("opinion_id", name="pk_opinions"),
    )


def downgrade() -> None:
    op.execute("DELETE FROM inbox")  # what was handled goes, and may be handled again
    for table in ("opinions", "aliases", "reports"):
        op.drop_table(table)
