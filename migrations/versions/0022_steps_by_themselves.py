"""Policies approved beforehand, teams that take steps without a person's yes, and what followed a returned letter."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0022"
down_revision = "0021"

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
TIME = sa.DateTime(timezone=True)
FAILED = sa.text("transport = 'failed'")


def upgrade() -> None:
    op.create_table(
        "policy_approvals",
        sa.Column("policy_id", sa.Integer(), nullable=False),
        sa.Column("approved_at", TIME, nullable=False),
        sa.Column("approved_by", sa.String(80), nullable=False),
        sa.ForeignKeyConstraint(["policy_id"], ["policies.id"], name=op.f("fk_policy_approvals_policy_id")),
        sa.PrimaryKeyConstraint("policy_id", name=op.f("pk_policy_approvals")),
    )
    op.create_table(
        "other_channels",
        sa.Column("notification_id", sa.Integer(), nullable=False),
        sa.Column("decided_at", TIME, nullable=False),
        sa.Column("led_to", sa.String(36), nullable=True),
        sa.Column("reason", sa.String(16), nullable=True),
        sa.ForeignKeyConstraint(
            ["notification_id"], ["notifications.id"], name=op.f("fk_other_channels_notification_id")
        ),
        sa.PrimaryKeyConstraint("notification_id", name=op.f("pk_other_channels")),
    )
    op.create_table(
        "team_consents",
        sa.Column("team_id", sa.Integer(), nullable=False),
        sa.Column("takes", JSON, nullable=False),
        sa.Column("chosen_at", TIME, nullable=False),
        sa.Column("chosen_by", sa.String(80), nullable=False),
        sa.Column("told_at", TIME, nullable=True),
        sa.ForeignKeyConstraint(["team_id"], ["teams.id"], name=op.f("fk_team_consents_team_id")),
        sa.PrimaryKeyConstraint("team_id", name=op.f("pk_team_consents")),
    )
    op.create_index(
        "ix_notifications_failed", "notifications", ["id"], sqlite_where=FAILED, postgresql_where=FAILED
    )


def downgrade() -> None:
    op.drop_index("ix_notifications_failed", "notifications")
    op.drop_table("team_consents")
    op.drop_table("other_channels")
    op.drop_table("policy_approvals")
