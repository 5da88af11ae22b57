"""Remember which of its rules for reports a team's notification did not meet."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    column = sa.Column("rules_not_met", JSON, server_default="[]", nullable=False)
    op.add_column("notifications", column)


def downgrade() -> None:
    op.drop_column("notifications", "rules_not_met")
