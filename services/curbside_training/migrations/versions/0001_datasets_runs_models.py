"""Datasets, runs, models and promotions, with inbox, outbox and audit."""

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
        "datasets",
        sa.Column("version", sa.String(32), nullable=False),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("name", sa.String(128), nullable=False),
        sa.Column("manifest", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("version", name="pk_datasets"),
    )
    op.create_table(
        "runs",
        sa.Column("run_id", sa.String(32), nullable=False),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("dataset_version", sa.String(32), nullable=False),
        sa.Column("recipe", sa.JSON, nullable=False),
        sa.Column("actor", sa.String(128), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("step", sa.Integer, nullable=False),
        sa.Column("steps", sa.Integer, nullable=False),
        sa.Column("loss", sa.Float, nullable=True),
        sa.Column("phase_done", sa.Integer, nullable=False),
        sa.Column("phase_total", sa.Integer, nullable=False),
        sa.Column("evaluation", sa.JSON, nullable=True),
        sa.Column("model_version", sa.String(32), nullable=True),
        sa.Column("reason", sa.String(128), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("finished_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("run_id", name="pk_runs"),
    )
    op.create_index("ix_runs_state", "runs", ["state", "created_at"])
    op.create_table(
        "models",
        sa.Column("version", sa.String(32), nullable=False),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("run_id", sa.String(32), nullable=False),
        sa.Column("dataset_version", sa.String(32), nullable=False),
        sa.Column("base_model", sa.String(256), nullable=False),
        sa.Column("recipe_hash", sa.String(64), nullable=False),
        sa.Column("evaluation", sa.JSON, nullable=False),
        sa.Column("adapter", sa.JSON, nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("version", name="pk_models"),
    )
    op.create_table(
        "promotions",
        sa.Column("id", BigId, autoincrement=True, nullable=False),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("alias", sa.String(64), nullable=False),
        sa.Column("version", sa.String(32), nullable=False),
        sa.Column("actor", sa.String(128), nullable=False),
        sa.Column("gates", sa.JSON, nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_promotions"),
    )
    op.create_index("ix_promotions_alias", "promotions", ["tenant", "alias", "id"])


def downgrade() -> None:
    op.execute("DELETE FROM inbox")  # what was handled goes, and may be handled again
    for table in ("promotions", "models", "runs", "datasets"):
        op.drop_table(table)
