"""Several nodes on one database: which of them live, whose turn it is, and what stands in the public/ of each.

Revision ID: 0013
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("boots", sa.Column("home", sa.Text(), nullable=False, server_default=""))
    op.add_column("boots", sa.Column("seen_at", sa.BigInteger()))
    op.create_table(
        "turns",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_turns")),
    )
    before = sa.table("outputs", *map(sa.column, ("path", "fingerprint", "content_hash")))
    rows = [{"home": "", **row} for row in op.get_bind().execute(sa.select(before)).mappings()]
    op.drop_table("outputs")
    outputs = op.create_table(
        "outputs",
        sa.Column("home", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("content_hash", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("home", "path", name=op.f("pk_outputs")),
    )
    op.bulk_insert(outputs, rows)
