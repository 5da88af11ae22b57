"""Entries that were found to be of one team: each points to the one it is read as; what stewards said of pairs."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"

JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    for table in ("teams", "past_teams"):
        op.add_column(table, sa.Column("merged_into_id", sa.Integer(), nullable=True))
    op.create_index("ix_teams_merged_into_id", "teams", ["merged_into_id"])
    op.create_table(
        "pairings",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("ref", sa.String(36), nullable=False),
        sa.Column("what", sa.String(5), nullable=False),
        sa.Column("team_id", sa.Integer(), nullable=False),
        sa.Column("other_id", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(2000), nullable=False),
        sa.Column("state", sa.String(7), nullable=False),
        sa.Column("proposed_at", MOMENT, nullable=False),
        sa.Column("approvals", JSON, nullable=False),
        sa.Column("settled_at", MOMENT, nullable=True),
        sa.Column("settled_by", sa.String(80), nullable=True),
        sa.CheckConstraint("what IN ('merge', 'split', 'apart')", name="ck_pairings_what"),
        sa.CheckConstraint("state IN ('open', 'applied', 'refused', 'ended')", name="ck_pairings_state"),
        sa.ForeignKeyConstraint(["team_id"], ["teams.id"], name="fk_pairings_team_id"),
        sa.ForeignKeyConstraint(["other_id"], ["teams.id"], name="fk_pairings_other_id"),
        sa.PrimaryKeyConstraint("id", name="pk_pairings"),
        sa.UniqueConstraint("ref", name="uq_pairings_ref"),
    )
    for column in ("team_id", "other_id"):
        op.create_index(f"ix_pairings_{column}", "pairings", [column])


def downgrade() -> None:
    op.drop_table("pairings")
    op.drop_index("ix_teams_merged_into_id", "teams")
    for table in ("past_teams", "teams"):
        op.drop_column(table, "merged_into_id")
