"""Questions to a team about its own entry: confirmations and reachability tests."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_table(
        "checks",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("ref", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("team_id", sa.Integer(), nullable=False),
        sa.Column("address_id", sa.Integer(), nullable=False),
        sa.Column("queued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reminded_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("result", sa.String(length=13), nullable=True),
        sa.Column("level", sa.Integer(), nullable=True),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("kind IN ('confirmation', 'ping')", name="ck_checks_kind"),
        sa.CheckConstraint(
            "result IN ('confirmed', 'answered', 'unanswered', 'undeliverable', 'unsent', 'ended')",
            name="ck_checks_result",
        ),
        sa.CheckConstraint("(closed_at IS NULL) = (result IS NULL)", name="ck_checks_closed"),
        sa.CheckConstraint("level BETWEEN 1 AND 5", name="ck_checks_level"),
        sa.ForeignKeyConstraint(["team_id"], ["teams.id"], name="fk_checks_team_id_teams"),
        sa.ForeignKeyConstraint(["address_id"], ["addresses.id"], name="fk_checks_address_id_addresses"),
        sa.PrimaryKeyConstraint("id", name="pk_checks"),
        sa.UniqueConstraint("ref", name="uq_checks_ref"),
    )
    op.create_index("ix_checks_team_id", "checks", ["team_id", "kind", "queued_at"])
    op.create_index(
        "uq_checks_open",
        "checks",
        ["team_id"],
        unique=True,
        sqlite_where=sa.text("closed_at IS NULL"),
        postgresql_where=sa.text("closed_at IS NULL"),
    )


def downgrade() -> None:
    op.drop_table("checks")
