"""What archive documents of feeds hold, and what hubs were told of.

Revision ID: 0012
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "feed_archives",
        sa.Column("feed", sa.Text(), primary_key=True),
        sa.Column("page", sa.Integer(), primary_key=True),
        sa.Column("stories", sa.Text(), nullable=False),
    )
    op.create_table(
        "announcements",
        sa.Column("hub", sa.Text(), primary_key=True),
        sa.Column("path", sa.Text(), primary_key=True),
        sa.Column("content_hash", sa.Text(), nullable=False),
    )
