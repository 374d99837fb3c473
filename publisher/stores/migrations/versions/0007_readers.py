"""Fresh links, changes of address, reminders, and rates that outlive a purged sign-up.

Revision ID: 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("subscribers", sa.Column("moved_at", sa.BigInteger(), nullable=True))
    key = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    with op.batch_alter_table("signups") as signups:
        signups.add_column(sa.Column("repeats", sa.Integer(), nullable=False, server_default="0"))
        signups.add_column(sa.Column("reminded_at", sa.BigInteger(), nullable=True))
        signups.add_column(sa.Column("moves_from", key, nullable=True))
        signups.add_column(sa.Column("agreed_at", sa.BigInteger(), nullable=True))
        signups.create_foreign_key(
            op.f("fk_signups_moves_from"), "subscribers", ["moves_from"], ["id"], ondelete="CASCADE"
        )
    with op.batch_alter_table("signups") as signups:
        signups.alter_column("repeats", server_default=None, existing_type=sa.Integer(), existing_nullable=False)
    op.create_index("ix_signups_moves_from", "signups", ["moves_from"])
    op.create_table(
        "confirmation_mails",
        sa.Column("id", key, autoincrement=True, nullable=False),
        sa.Column("address_hash", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_confirmation_mails")),
    )
    op.create_index("ix_confirmation_mails_address_hash_at", "confirmation_mails", ["address_hash", "at"])
    op.create_index("ix_confirmation_mails_at", "confirmation_mails", ["at"])
    op.create_table(
        "account_links",
        sa.Column("id", key, autoincrement=True, nullable=False),
        sa.Column("subscriber_id", key, nullable=False),
        sa.Column("requested_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["subscriber_id"], ["subscribers.id"], name=op.f("fk_account_links_subscriber_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account_links")),
    )
    op.create_index("ix_account_links_subscriber_id", "account_links", ["subscriber_id"])
