"""Documents whose text is extracted after they are acknowledged; what was read off images; exclusions."""

import sqlalchemy as sa
from alembic import op

from curbside.storage.tables import UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("reports") as reports:
        reports.alter_column("text", existing_type=sa.JSON, nullable=True)
        reports.alter_column("media_type", existing_type=sa.String(64), type_=sa.String(128))
        reports.add_column(sa.Column("exclusions", sa.JSON, nullable=False, server_default="[]"))
        reports.add_column(sa.Column("quality", sa.JSON, nullable=True))
    with op.batch_alter_table("reports") as reports:
        reports.alter_column("exclusions", server_default=None)
    op.create_table(
        "extractions",
        sa.Column("report_id", sa.String(32), nullable=False),
        sa.Column("kind", sa.String(128), nullable=False),
        sa.Column("said", sa.LargeBinary, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("claimed_until", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("report_id", name="pk_extractions"),
        sa.ForeignKeyConstraint(
            ["report_id"], ["reports.report_id"], name="fk_extractions_report_id_reports"
        ),
    )


def downgrade() -> None:
    op.drop_table("extractions")
    op.execute("DELETE FROM history WHERE report_id IN (SELECT report_id FROM reports WHERE text IS NULL)")
    op.execute("DELETE FROM receipts WHERE report_id IN (SELECT report_id FROM reports WHERE text IS NULL)")
    op.execute("DELETE FROM reports WHERE text IS NULL")
    with op.batch_alter_table("reports") as reports:
        reports.drop_column("quality")
        reports.drop_column("exclusions")
        reports.alter_column("media_type", existing_type=sa.String(128), type_=sa.String(64))
        reports.alter_column("text", existing_type=sa.JSON, nullable=False)
