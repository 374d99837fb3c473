"""What the readers of a notice can leave, and versions by what changed and when.

Revision ID: 0005
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("variants", sa.Column("newsletter", sa.Text(), nullable=True))
    op.create_index("ix_article_versions_change_revised_at", "article_versions", ["change", "revised_at"])
