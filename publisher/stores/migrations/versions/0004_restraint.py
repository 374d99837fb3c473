"""Relays that are left alone, rates that processes share, issues let go by hand.

Revision ID: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "lanes",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("free_at", sa.BigInteger(), nullable=False),
        sa.Column("tail_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_lanes")),
    )
    op.create_table(
        "relays",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("open_until", sa.BigInteger(), nullable=False),
        sa.Column("trips", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("probe_until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_relays")),
    )
    with op.batch_alter_table("issues") as issues:
        issues.add_column(sa.Column("released_at", sa.BigInteger(), nullable=True))
