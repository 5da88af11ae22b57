"""Sightings in measuring windows, when an asset was added, and after which time it is quiet."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.add_column("incidents", sa.Column("quiet_after", sa.String(40), nullable=True))
    op.add_column("assets", sa.Column("added_at", sa.DateTime(timezone=True), nullable=True))
    op.create_table(
        "measuring_windows",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("ref", sa.String(36), nullable=False),
        sa.Column("incident_id", sa.Integer(), nullable=False),
        sa.Column("method", sa.String(20), nullable=False),
        sa.Column("begins_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sightings", sa.Integer(), nullable=False),
        sa.Column("seen", sa.Integer(), nullable=False),
        sa.Column("strangers", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("posted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("posted_by", sa.String(80), nullable=False),
        sa.ForeignKeyConstraint(
            ["incident_id"], ["incidents.id"], name=op.f("fk_measuring_windows_incident_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_measuring_windows")),
        sa.UniqueConstraint("ref", name=op.f("uq_measuring_windows_ref")),
        sa.UniqueConstraint(
            "incident_id", "method", "begins_at", "ends_at", "digest",
            name="uq_measuring_windows_same",
        ),
    )  # fmt: skip
    op.create_table(
        "sightings",
        sa.Column("window_id", sa.Integer(), nullable=False),
        sa.Column("asset_id", sa.Integer(), nullable=False),
        sa.Column("first", sa.BigInteger(), nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["window_id"], ["measuring_windows.id"], name=op.f("fk_sightings_window_id")
        ),
        sa.ForeignKeyConstraint(["asset_id"], ["assets.id"], name=op.f("fk_sightings_asset_id")),
        sa.PrimaryKeyConstraint("window_id", "asset_id", "first", name=op.f("pk_sightings")),
        sqlite_with_rowid=False,
    )  # fmt: skip


def downgrade() -> None:
    op.drop_table("sightings")
    op.drop_table("measuring_windows")
    op.drop_column("assets", "added_at")
    op.drop_column("incidents", "quiet_after")
