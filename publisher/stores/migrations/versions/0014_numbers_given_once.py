"""A number that was somebody's is nobody else's: tokens and compacted issues name people by it (SQLite gave it again).

Revision ID: 0014
"""

from alembic import op

revision = "0014"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_bind().dialect.name != "sqlite":
        return
    for table in ("subscribers", "signups", "account_links"):
        with op.batch_alter_table(table, recreate="always", table_kwargs={"sqlite_autoincrement": True}):
            pass
