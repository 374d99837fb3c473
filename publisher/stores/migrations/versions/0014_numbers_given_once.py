"""A number that was somebody's is nobody else's: tokens and compacted issues name people by it (SQLite gave it again).

Revision ID: 0014
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0009"
branch_labels = None
depends_on = None

_SEQUENCE = sa.table("sqlite_sequence", sa.column("name"), sa.column("seq"))
_LEFT_OUT = 1000
"""Numbers after the last one that are not given, for some of them were given to who is no more."""


def upgrade() -> None:
    connection = op.get_bind()
    if connection.dialect.name != "sqlite":
        return
    used = connection.scalar(sa.select(sa.func.count()).select_from(sa.table("subscribers")))
    for name in ("subscribers", "signups", "account_links"):
        with op.batch_alter_table(name, recreate="always", table_kwargs={"sqlite_autoincrement": True}):
            pass
        if used:
            last = connection.scalar(sa.select(sa.func.max(sa.column("id"))).select_from(sa.table(name)))
            connection.execute(sa.delete(_SEQUENCE).where(_SEQUENCE.c.name == name))
            connection.execute(sa.insert(_SEQUENCE).values(name=name, seq=(last or 0) + _LEFT_OUT))
