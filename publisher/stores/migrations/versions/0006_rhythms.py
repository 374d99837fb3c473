"""When a pause began, and since when stories are pending for a reader who changed their rhythm.

Revision ID: 0006
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("subscriptions", sa.Column("paused_at", sa.BigInteger(), nullable=True))
    op.add_column("subscriptions", sa.Column("pending_since", sa.BigInteger(), nullable=True))
