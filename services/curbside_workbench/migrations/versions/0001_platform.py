"""Inbox, outbox and audit; the workbench has no table of its own."""

from alembic import op

from curbside.storage.migrate import create_platform_tables

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_platform_tables(op)


def downgrade() -> None:
    for table in ("audit", "outbox", "inbox"):
        op.drop_table(table)
