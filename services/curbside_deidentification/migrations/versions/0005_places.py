"""Each report's place among its patient's, and the moved time that it is told by."""

import sqlalchemy as sa
from alembic import op

from curbside.storage.tables import UtcDateTime

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("reports") as reports:
        reports.add_column(sa.Column("moved_at", UtcDateTime(), nullable=True))
        reports.add_column(sa.Column("place", sa.Text(), nullable=False, server_default=""))
    with op.batch_alter_table("reports") as reports:
        reports.alter_column("place", server_default=None)
        reports.create_index("ix_reports_subject", ["tenant", "subject", "moved_at"])


def downgrade() -> None:
    with op.batch_alter_table("reports") as reports:
        reports.drop_index("ix_reports_subject")
        reports.drop_column("place")
        reports.drop_column("moved_at")
