"""What could not be worked out waits: an expectation until another try, a path with since when it fails."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"

TIME = sa.DateTime(timezone=True)
FAILING = sa.text("failing_since IS NOT NULL")


def upgrade() -> None:
    op.add_column("expectations", sa.Column("put_off_until", TIME, nullable=True))
    op.add_column("notification_paths", sa.Column("failing_since", TIME, nullable=True))
    op.create_index(
        "ix_notification_paths_failing_since", "notification_paths", ["failing_since"],
        sqlite_where=FAILING, postgresql_where=FAILING,
    )  # fmt: skip


def downgrade() -> None:
    op.drop_index("ix_notification_paths_failing_since", "notification_paths")
    op.drop_column("notification_paths", "failing_since")
    op.drop_column("expectations", "put_off_until")
