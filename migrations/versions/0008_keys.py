"""OpenPGP keys of teams."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"

JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "keys",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("ref", sa.String(36), nullable=False),
        sa.Column("team_id", sa.Integer(), nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("algorithm", sa.String(20), nullable=False),
        sa.Column("bits", sa.Integer(), nullable=True),
        sa.Column("public", sa.Text(), nullable=False),
        sa.Column("addresses", JSON, nullable=False),
        sa.Column("stated", sa.String(254), nullable=True),
        sa.Column("evidence", sa.String(2000), nullable=True),
        sa.Column("uploaded_by", sa.String(80), nullable=False),
        sa.Column("proposer", sa.String(36), nullable=True),
        sa.Column("uploaded_at", MOMENT, nullable=False),
        sa.Column("signed_at", MOMENT, nullable=True),
        sa.Column("expires_at", MOMENT, nullable=True),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("approvals", JSON, nullable=False),
        sa.Column("effective_at", MOMENT, nullable=True),
        sa.Column("pinned_at", MOMENT, nullable=True),
        sa.Column("settled_at", MOMENT, nullable=True),
        sa.Column("told_days", sa.Integer(), nullable=True),
        sa.Column("note", sa.String(2000), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "state IN ('proposed', 'pinned', 'refused', 'retired', 'expired')", name=op.f("ck_keys_state")
        ),
        sa.CheckConstraint("state != 'pinned' OR pinned_at IS NOT NULL", name=op.f("ck_keys_pinned_at")),
        sa.ForeignKeyConstraint(["team_id"], ["teams.id"], name=op.f("fk_keys_team_id_teams")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_keys")),
        sa.UniqueConstraint("ref", name=op.f("uq_keys_ref")),
    )
    op.create_index("ix_keys_team_id", "keys", ["team_id", "state"])
    op.create_index("ix_keys_expires_at", "keys", ["state", "expires_at"])


def downgrade() -> None:
    op.drop_table("keys")
