"""What comes back: one event of a kind per delivery, quarantined issues, tallies of reports.

Revision ID: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("delivery_events") as batch:
        batch.add_column(sa.Column("counts", sa.Boolean(), nullable=False, server_default=sa.true()))
        batch.create_unique_constraint(op.f("uq_delivery_events_delivery_id_kind"), ["delivery_id", "kind"])
        batch.drop_index("ix_delivery_events_delivery_id")
    with op.batch_alter_table("delivery_events") as batch:
        batch.alter_column("counts", server_default=None, existing_type=sa.Boolean(), existing_nullable=False)
    op.create_index("ix_delivery_events_kind", "delivery_events", ["kind"], unique=False)
    with op.batch_alter_table("issues") as batch:
        batch.add_column(sa.Column("bounce_standing", sa.Text(), nullable=True))
    op.create_table(
        "report_tallies",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("last_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_report_tallies")),
    )
