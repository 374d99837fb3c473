"""Rows of deliveries that cost half: no index of variants, no foreign keys to what is never deleted under them.

Revision ID: 0019
"""

from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("ix_deliveries_variant_id", table_name="deliveries")
    # On SQLite the table is remade, which takes some ten seconds a million rows.
    with op.batch_alter_table("deliveries") as batch:
        batch.drop_constraint("fk_deliveries_variant_id", type_="foreignkey")
        batch.drop_constraint("fk_deliveries_issue_id", type_="foreignkey")
