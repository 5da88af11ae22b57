"""Mail that answers a notification, which its workspace alone reads; and mail that could not be read."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"

BEFORE = ("acted", "kept", "waits", "unmatched")
AFTER = (*BEFORE, "unreadable")
FIRST, SECOND = op.f("ck_inbox_ck_inbox_outcome"), op.f("ck_inbox_result")
UNREAD = sa.text("result IS NULL")


def upgrade() -> None:
    op.add_column("inbox", sa.Column("notification", sa.String(length=36), nullable=True))
    op.create_index("ix_inbox_notification", "inbox", ["notification", "id"])
    _allow(AFTER, FIRST, SECOND)


def downgrade() -> None:
    op.execute("UPDATE inbox SET result = 'waits' WHERE result = 'unreadable'")
    _allow(BEFORE, SECOND, FIRST)
    op.drop_index("ix_inbox_notification", table_name="inbox")
    op.drop_column("inbox", "notification")


def _allow(results: tuple[str, ...], before: str, after: str) -> None:
    """Put one check in the place of another; where SQLite makes the table anew, this index loses its condition."""
    op.drop_index("ix_inbox_unread", table_name="inbox")
    with op.batch_alter_table("inbox") as table:
        table.drop_constraint(before, type_="check")
        table.create_check_constraint(after, f"result IN ({', '.join(map(repr, results))})")
    op.create_index("ix_inbox_unread", "inbox", ["id"], sqlite_where=UNREAD, postgresql_where=UNREAD)
