"""Where each patient's surrogates and their originals lie."""

import sqlalchemy as sa
from alembic import op

from curbside.storage.tables import UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "mappings",
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("subject", sa.String(64), nullable=False),
        sa.Column("mapping", sa.JSON(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "subject", name="pk_mappings"),
    )


def downgrade() -> None:
    op.drop_table("mappings")
