"""Letters of notifications: who may send, each attempt, and how a letter may travel."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"

QUEUED = sa.text("transport = 'queued'")


def upgrade() -> None:
    op.create_table(
        "sending_permissions",
        sa.Column("workspace_id", sa.Integer(), nullable=False),
        sa.Column("allowed", sa.Boolean(), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_by", sa.String(length=80), nullable=False),
        sa.Column("note", sa.String(length=500), nullable=True),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspaces.id"], name="fk_sending_permissions_workspace_id"
        ),
        sa.PrimaryKeyConstraint("workspace_id", name="pk_sending_permissions"),
    )
    op.create_table(
        "sendings",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("notification_id", sa.Integer(), nullable=False),
        sa.Column("workspace_id", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("mail", sa.String(length=36), nullable=True),
        sa.Column("queued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("queued_by", sa.String(length=80), nullable=False),
        sa.Column("plain_text", sa.Boolean(), nullable=False),
        sa.Column("problem", sa.String(length=500), nullable=True),
        sa.ForeignKeyConstraint(
            ["notification_id"], ["notifications.id"], name="fk_sendings_notification_id"
        ),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], name="fk_sendings_workspace_id"),
        sa.PrimaryKeyConstraint("id", name="pk_sendings"),
        sa.UniqueConstraint("notification_id", "attempt", name="uq_sendings_notification_id_attempt"),
    )
    op.create_index("ix_sendings_workspace_id", "sendings", ["workspace_id", "queued_at"])
    op.create_index("ix_sendings_mail", "sendings", ["mail"])
    op.create_index(
        "ix_notifications_queued", "notifications", ["id"], sqlite_where=QUEUED, postgresql_where=QUEUED
    )
    op.add_column("outbox", sa.Column("tlp", sa.String(length=16), nullable=True))
    op.add_column("outbox", sa.Column("protection", sa.String(length=10), nullable=True))


def downgrade() -> None:
    op.drop_index("ix_notifications_queued", "notifications")
    op.drop_column("outbox", "protection")
    op.drop_column("outbox", "tlp")
    op.drop_table("sendings")
    op.drop_table("sending_permissions")
