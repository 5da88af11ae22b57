"""Parcels of files that were split, kept with their incident until a notification hands them over."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0010"

JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")


def upgrade() -> None:
    op.create_table(
        "parcels",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("ref", sa.String(36), nullable=False),
        sa.Column("incident_id", sa.Integer(), nullable=False),
        sa.Column("notification_id", sa.Integer(), nullable=True),
        sa.Column("team", sa.String(100), nullable=False),
        sa.Column("basis", JSON, nullable=False),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.String(80), nullable=False),
        sa.ForeignKeyConstraint(["incident_id"], ["incidents.id"], name=op.f("fk_parcels_incident_id")),
        sa.ForeignKeyConstraint(
            ["notification_id"], ["notifications.id"], name=op.f("fk_parcels_notification_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_parcels")),
        sa.UniqueConstraint("ref", name=op.f("uq_parcels_ref")),
        sa.UniqueConstraint("incident_id", "team", "sha256", name=op.f("uq_parcels_incident_id_team_sha256")),
    )
    op.create_index("ix_parcels_notification_id", "parcels", ["notification_id"])
    op.create_table(
        "parcel_pieces",
        sa.Column("parcel_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["parcel_id"], ["parcels.id"], name=op.f("fk_parcel_pieces_parcel_id")),
        sa.PrimaryKeyConstraint("parcel_id", "number", name=op.f("pk_parcel_pieces")),
    )


def downgrade() -> None:
    op.drop_table("parcel_pieces")
    op.drop_table("parcels")
