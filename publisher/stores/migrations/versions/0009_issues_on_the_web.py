"""Which issues stand on the web: those of the newsletter's own clock as it was when they were planned.

Revision ID: 0009
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("issues", sa.Column("on_web", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_index("ix_issues_on_web", "issues", ["on_web"])
