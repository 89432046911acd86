"""Marks of displaced reports; and where a report's text lies, in place of what was mined of it."""

import sqlalchemy as sa
from alembic import op

from curbside.storage.tables import UtcDateTime

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
        sa.Column("marked_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "report_id", name="pk_displaced"),
    )
    with op.batch_alter_table("reports") as reports:
        reports.add_column(sa.Column("text", sa.JSON, nullable=True))
        reports.drop_column("mined")
    # Nobody wrote down by which policies these were mined, nor where to mine them again: a manifest
    # could not tell the truth of them. They stay counted, with this as their reason.
    op.execute("UPDATE reports SET reason = 'text-unknown', tasks = '[]' WHERE reason = ''")


def downgrade() -> None:
    with op.batch_alter_table("reports") as reports:
        reports.add_column(sa.Column("mined", sa.JSON, nullable=True))
        reports.drop_column("text")
    op.drop_table("displaced")
