"""Which clock a subscription is on, so that an index tells which clocks there are.

Revision ID: 0015
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("subscriptions", sa.Column("clock", sa.Text(), nullable=False, server_default="|"))
    op.execute(
        """
        UPDATE subscriptions SET clock = coalesce(cadence, '') || '|' || coalesce(
            timezone, (SELECT timezone FROM subscribers WHERE subscribers.id = subscriptions.subscriber_id), ''
        )
        WHERE cadence IS NOT NULL OR timezone IS NOT NULL OR EXISTS (
            SELECT 1 FROM subscribers
            WHERE subscribers.id = subscriptions.subscriber_id AND subscribers.timezone IS NOT NULL
        )
        """
    )
    op.create_index(
        "ix_subscriptions_newsletter_status_clock", "subscriptions", ["newsletter", "status", "clock", "subscriber_id"]
    )
