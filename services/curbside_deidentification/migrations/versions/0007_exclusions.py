"""Why a report must never train, as its source said, for when it is released."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("reports") as reports:
        reports.add_column(sa.Column("exclusions", sa.JSON, nullable=False, server_default="[]"))
    with op.batch_alter_table("reports") as reports:
        reports.alter_column("exclusions", server_default=None)


def downgrade() -> None:
    with op.batch_alter_table("reports") as reports:
        reports.drop_column("exclusions")
