"""The quarantine: what sources would change and a steward has to look at, and of each import what was held."""

import uuid

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"

JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("imports", sa.Column("ref", sa.String(36), nullable=True))
    op.add_column("imports", sa.Column("held", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("imports", sa.Column("digest", sa.String(71), nullable=True))
    op.add_column("imports", sa.Column("size", sa.Integer(), nullable=True))
    imports = sa.table("imports", sa.column("id", sa.Integer()), sa.column("ref", sa.String()))
    bind = op.get_bind()
    for (number,) in bind.execute(sa.select(imports.c.id)).all():
        bind.execute(sa.update(imports).where(imports.c.id == number).values(ref=str(uuid.uuid4())))
    with op.batch_alter_table("imports") as table:
        table.alter_column("ref", existing_type=sa.String(36), nullable=False)
        table.create_unique_constraint("uq_imports_ref", ["ref"])
    op.create_table(
        "quarantine",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("ref", sa.String(36), nullable=False),
        sa.Column("import_id", sa.Integer(), nullable=False),
        sa.Column("source_id", sa.Integer(), nullable=False),
        sa.Column("origin", sa.String(8), nullable=False),
        sa.Column("team", sa.String(100), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=True),
        sa.Column("changes", JSON, nullable=False),
        sa.Column("digest", sa.String(71), nullable=False),
        sa.Column("reasons", JSON, nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("since", MOMENT, nullable=False),
        sa.Column("seen_at", MOMENT, nullable=False),
        sa.Column("approvals", JSON, nullable=False),
        sa.Column("decided_at", MOMENT, nullable=True),
        sa.Column("decided_by", sa.String(80), nullable=True),
        sa.Column("note", sa.String(2000), nullable=True),
        sa.CheckConstraint("origin IN ('manual', 'imported')", name="ck_quarantine_origin"),
        sa.CheckConstraint(
            "state IN ('held', 'accepted', 'refused', 'superseded')", name="ck_quarantine_state"
        ),
        sa.CheckConstraint("(state = 'held') = (decided_at IS NULL)", name="ck_quarantine_decided_at"),
        sa.ForeignKeyConstraint(["import_id"], ["imports.id"], name="fk_quarantine_import_id"),
        sa.ForeignKeyConstraint(["source_id"], ["sources.id"], name="fk_quarantine_source_id"),
        sa.PrimaryKeyConstraint("id", name="pk_quarantine"),
        sa.UniqueConstraint("ref", name="uq_quarantine_ref"),
    )
    op.create_index("ix_quarantine_state", "quarantine", ["state", "id"])
    op.create_index("ix_quarantine_import_id", "quarantine", ["import_id"])
    op.create_index("ix_quarantine_source_id", "quarantine", ["source_id", "origin", "team"])


def downgrade() -> None:
    op.drop_table("quarantine")
    with op.batch_alter_table("imports") as table:
        table.drop_constraint("uq_imports_ref", type_="unique")
        for name in ("size", "digest", "held", "ref"):
            table.drop_column(name)
