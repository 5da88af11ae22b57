"""Claims of entries by their teams, and changes of entries that wait for approval."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"

JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "proposals",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("ref", sa.String(36), nullable=False),
        sa.Column("team_id", sa.Integer(), nullable=False),
        sa.Column("by", sa.String(7), nullable=False),
        sa.Column("proposer", sa.String(80), nullable=False),
        sa.Column("person", sa.String(36), nullable=True),
        sa.Column("changes", JSON, nullable=False),
        sa.Column("note", sa.String(2000), nullable=True),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("proposed_at", MOMENT, nullable=False),
        sa.Column("noticed_at", MOMENT, nullable=False),
        sa.Column("due_at", MOMENT, nullable=True),
        sa.Column("settled_at", MOMENT, nullable=True),
        sa.Column("settled_by", sa.String(80), nullable=True),
        sa.Column("reason", sa.String(2000), nullable=True),
        sa.CheckConstraint(
            "state IN ('open', 'applied', 'refused', 'withdrawn', 'cancelled', 'superseded', 'lapsed')",
            name="ck_proposals_state",
        ),
        sa.CheckConstraint("\"by\" IN ('team', 'steward')", name="ck_proposals_by"),
        sa.CheckConstraint("(state = 'open') = (settled_at IS NULL)", name="ck_proposals_settled"),
        sa.ForeignKeyConstraint(["team_id"], ["teams.id"], name="fk_proposals_team_id_teams"),
        sa.PrimaryKeyConstraint("id", name="pk_proposals"),
        sa.UniqueConstraint("ref", name="uq_proposals_ref"),
    )
    op.create_index("ix_proposals_team_id", "proposals", ["team_id"])
    op.create_index("ix_proposals_state_due_at", "proposals", ["state", "due_at"])
    op.create_table(
        "proposal_approvals",
        sa.Column("proposal_id", sa.Integer(), nullable=False),
        sa.Column("person", sa.String(36), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["proposal_id"], ["proposals.id"], name="fk_proposal_approvals_proposal_id_proposals"
        ),
        sa.PrimaryKeyConstraint("proposal_id", "person", name="pk_proposal_approvals"),
    )
    op.create_table(
        "claims",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("ref", sa.String(36), nullable=False),
        sa.Column("team_id", sa.Integer(), nullable=False),
        sa.Column("method", sa.String(4), nullable=False),
        sa.Column("address_id", sa.Integer(), nullable=True),
        sa.Column("fingerprint", sa.String(64), nullable=True),
        sa.Column("asked_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("proven_at", MOMENT, nullable=True),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.CheckConstraint("method IN ('mail', 'key')", name="ck_claims_method"),
        sa.CheckConstraint("(method = 'mail') = (address_id IS NOT NULL)", name="ck_claims_address"),
        sa.CheckConstraint("(method = 'key') = (fingerprint IS NOT NULL)", name="ck_claims_key"),
        sa.CheckConstraint("(proven_at IS NULL) = (user_id IS NULL)", name="ck_claims_proven"),
        sa.ForeignKeyConstraint(["address_id"], ["addresses.id"], name="fk_claims_address_id_addresses"),
        sa.ForeignKeyConstraint(["team_id"], ["teams.id"], name="fk_claims_team_id_teams"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_claims_user_id_users"),
        sa.PrimaryKeyConstraint("id", name="pk_claims"),
        sa.UniqueConstraint("ref", name="uq_claims_ref"),
    )
    op.create_index("ix_claims_team_id", "claims", ["team_id"])
    op.create_index("ix_claims_address_id_asked_at", "claims", ["address_id", "asked_at"])


def downgrade() -> None:
    for table in ("claims", "proposal_approvals", "proposals"):
        op.drop_table(table)
