"""Find what follows a notification without reading them all."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"

NAME, WHERE = "ix_notifications_parent_id", sa.text("parent_id IS NOT NULL")


def upgrade() -> None:
    op.create_index(NAME, "notifications", ["parent_id"], sqlite_where=WHERE, postgresql_where=WHERE)


def downgrade() -> None:
    op.drop_index(NAME, "notifications")
