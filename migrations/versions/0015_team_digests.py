"""The daily mail that a team has asked for."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "team_digests",
        sa.Column("team_id", sa.Integer(), nullable=False),
        sa.Column("hour", sa.Integer(), nullable=False),
        sa.Column("address", sa.String(500), nullable=False),
        sa.Column("told_until", TIME, nullable=False),
        sa.Column("look_at", TIME, nullable=False),
        sa.Column("sent_at", TIME, nullable=True),
        sa.Column("chosen_at", TIME, nullable=False),
        sa.Column("chosen_by", sa.String(80), nullable=False),
        sa.CheckConstraint("hour >= 0 AND hour <= 23", name=op.f("ck_team_digests_hour")),
        sa.ForeignKeyConstraint(["team_id"], ["teams.id"], name=op.f("fk_team_digests_team_id")),
        sa.PrimaryKeyConstraint("team_id", name=op.f("pk_team_digests")),
    )
    op.create_index("ix_team_digests_look_at", "team_digests", ["look_at"])


def downgrade() -> None:
    op.drop_table("team_digests")
