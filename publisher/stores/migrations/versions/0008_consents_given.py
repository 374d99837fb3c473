"""When consent was given that an import brought.

Revision ID: 0008
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("consents", sa.Column("given_at", sa.BigInteger(), nullable=True))
