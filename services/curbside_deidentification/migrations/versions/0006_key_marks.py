"""Which data key sealed a patient's mapping: after an erasure it is another, and the mapping is gone."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("mappings", sa.Column("key_mark", sa.String(64), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("mappings") as mappings:
        mappings.drop_column("key_mark")
