"""Mail that comes in, and which revision of an entry each letter about it told."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"

REVISIONS = ("asked_revision", "reminded_revision")
UNREAD = sa.text("result IS NULL")


def upgrade() -> None:
    op.create_table(
        "inbox",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("ref", sa.String(length=36), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=True),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sender", sa.String(length=254), nullable=True),
        sa.Column("subject", sa.String(length=300), nullable=True),
        sa.Column("excerpt", sa.Text(), nullable=True),
        sa.Column("attachments", sa.Integer(), nullable=False),
        sa.Column("mail_class", sa.String(length=12), nullable=False),
        sa.Column("rule", sa.String(length=40), nullable=False),
        sa.Column("word", sa.String(length=10), nullable=True),
        sa.Column("letter", sa.String(length=36), nullable=True),
        sa.Column("proven", sa.Boolean(), nullable=False),
        sa.Column("action", sa.String(length=10), nullable=True),
        sa.Column("status", sa.String(length=12), nullable=True),
        sa.Column("server", sa.String(length=254), nullable=True),
        sa.Column("result", sa.String(length=10), nullable=True),
        sa.Column("reason", sa.String(length=200), nullable=True),
        sa.Column("event", sa.String(length=36), nullable=True),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("seen_by", sa.String(length=80), nullable=True),
        sa.CheckConstraint(
            "mail_class IN ('bounce', 'delay', 'dsn_success', 'mdn', 'arf', 'automatic', 'human')",
            name="ck_inbox_mail_class",
        ),
        sa.CheckConstraint("result IN ('acted', 'kept', 'waits', 'unmatched')", name="ck_inbox_outcome"),
        sa.PrimaryKeyConstraint("id", name="pk_inbox"),
        sa.UniqueConstraint("digest", name="uq_inbox_digest"),
        sa.UniqueConstraint("ref", name="uq_inbox_ref"),
    )
    op.create_index("ix_inbox_result", "inbox", ["result", "id"])
    op.create_index("ix_inbox_letter", "inbox", ["letter"])
    op.create_index("ix_inbox_unread", "inbox", ["id"], sqlite_where=UNREAD, postgresql_where=UNREAD)
    for name in REVISIONS:
        op.add_column("checks", sa.Column(name, sa.Integer(), nullable=True))


def downgrade() -> None:
    for name in REVISIONS:
        op.drop_column("checks", name)
    op.drop_table("inbox")
