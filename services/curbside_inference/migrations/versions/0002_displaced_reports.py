"""Marks of reports that were superseded or withdrawn: no opinion is given of them."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "displaced",
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("report_id", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("displaced_by", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "report_id", name="pk_displaced"),
    )


def downgrade() -> None:
    op.drop_table("displaced")
