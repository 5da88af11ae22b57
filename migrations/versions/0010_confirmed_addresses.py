"""When a team last said of an address that it is right: that holds until its mail bounces or it is withdrawn."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

TABLES = ("addresses", "past_addresses")
# An address that has grown old, was asked or did not answer keeps what was confirmed before, as the past rows tell.
STANDS = """
    UPDATE addresses SET confirmed_at = coalesce(state_since, recorded_at) WHERE state = 'verified'
"""
STOOD = """
    UPDATE addresses SET confirmed_at = (
        SELECT max(coalesce(stood.state_since, stood.recorded_at)) FROM past_addresses AS stood
        WHERE stood.id = addresses.id AND stood.state = 'verified' AND NOT EXISTS (
            SELECT 1 FROM past_addresses AS died
            WHERE died.id = stood.id AND died.state IN ('bouncing', 'withdrawn')
            AND died.recorded_at > stood.recorded_at
        )
    ) WHERE state NOT IN ('verified', 'bouncing', 'withdrawn')
"""
# What was verified before past rows were kept, and is due since then.
DUE = """
    UPDATE addresses SET confirmed_at = coalesce(state_since, recorded_at)
    WHERE state = 'due' AND confirmed_at IS NULL
"""


def upgrade() -> None:
    for table in TABLES:
        op.add_column(table, sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True))
    for statement in (STANDS, STOOD, DUE):
        op.execute(statement)


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_column(table, "confirmed_at")
