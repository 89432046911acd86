"""What each report's de-identification rests on, its place among its patient's, and its code in versions."""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_AT_ONCE = 1000


def upgrade() -> None:
    with op.batch_alter_table("reports") as reports:
        for name, column_type in (
            ("legal_basis", sa.String(32)),
            ("subjects", sa.String(16)),
            ("place", sa.Text),
        ):
            reports.add_column(sa.Column(name, column_type, nullable=False, server_default=""))
        reports.add_column(sa.Column("code", sa.String(32), nullable=True))
    # Until now the label of the policy said it; domain/basis.py has why the rest is Safe Harbor.
    op.execute("UPDATE reports SET legal_basis = 'safe_harbor', subjects = 'random'")
    op.execute(
        "UPDATE reports SET legal_basis = 'expert_determination' WHERE policy LIKE '%:expert_determination:%'"
    )
    rows = sa.table("reports", sa.column("report_id", sa.String), sa.column("code", sa.String))
    connection = op.get_bind()
    ids = connection.execute(sa.select(rows.c.report_id)).scalars().all()
    coding = rows.update().where(rows.c.report_id == sa.bindparam("id")).values(code=sa.bindparam("new"))
    for start in range(0, len(ids), _AT_ONCE):
        connection.execute(
            coding, [{"id": one, "new": f"r-{secrets.token_hex(8)}"} for one in ids[start : start + _AT_ONCE]]
        )
    with op.batch_alter_table("reports") as reports:
        for name in ("legal_basis", "subjects", "place"):
            reports.alter_column(name, server_default=None)
        reports.alter_column("code", existing_type=sa.String(32), nullable=False)
        reports.create_unique_constraint("uq_reports_code", ["code"])


def downgrade() -> None:
    with op.batch_alter_table("reports") as reports:
        reports.drop_constraint("uq_reports_code", type_="unique")
        for name in ("code", "place", "subjects", "legal_basis"):
            reports.drop_column(name)
