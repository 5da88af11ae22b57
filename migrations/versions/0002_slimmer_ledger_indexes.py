"""Index an event once: by its notification, or by the incident or team whose own it is."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

# name -> columns, and the events that the index holds
SLIM = {
    "ix_events_notification": (["notification", "occurred_at"], "notification IS NOT NULL"),
    "ix_events_incident": (["incident", "occurred_at"], "notification IS NULL AND incident IS NOT NULL"),
    "ix_events_team": (["team", "id"], "notification IS NULL AND team IS NOT NULL"),
}
FULL = {
    "ix_events_notification": ["notification", "occurred_at"],
    "ix_events_incident": ["incident", "occurred_at"],
    "ix_events_team": ["team", "occurred_at"],
    "ix_events_type": ["type", "occurred_at"],
}


def upgrade() -> None:
    for name in FULL:
        op.drop_index(name, "events")
    for name, (columns, where) in SLIM.items():
        op.create_index(
            name, "events", columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where)
        )


def downgrade() -> None:
    for name in SLIM:
        op.drop_index(name, "events")
    for name, columns in FULL.items():
        op.create_index(name, "events", columns)
