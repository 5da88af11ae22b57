"""Whether the notice of what waits told of the 72 hours: where it did not, they begin when it does."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"

TABLES = ("proposals", "keys", "quarantine", "pairings")


def upgrade() -> None:
    for table in TABLES:
        op.add_column(table, sa.Column("delay_told", sa.Boolean(), nullable=False, server_default=sa.false()))


def downgrade() -> None:
    for table in TABLES:
        op.drop_column(table, "delay_told")
