"""Keep what stood before: past rows of the directory, since when each is said, and what a team says of itself."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"

JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
MOMENT = sa.DateTime(timezone=True)
STATEMENTS = ("team_facts", "channels", "responsibilities")
# table -> what its rows have known until now as the time when they began to stand so
BEGAN = {"sources": "CURRENT_TIMESTAMP", "addresses": "CURRENT_TIMESTAMP", "teams": "updated_at"}
_PROVENANCE = (
    ("source_id", sa.Integer(), False), ("as_of", sa.String(10), False), ("origin", sa.String(8), False),
    ("confidence", sa.String(6), False), ("recorded_at", MOMENT, False), ("since", MOMENT, False),
)  # fmt: skip
PAST = {
    "sources": (
        ("id", sa.Integer(), False), ("name", sa.String(200), False), ("url", sa.String(500), True),
        ("kind", sa.String(40), True), ("last_imported_at", MOMENT, True), ("recorded_at", MOMENT, False),
    ),
    "teams": (
        ("id", sa.Integer(), False), ("slug", sa.String(100), False), ("name", sa.String(300), False),
        ("short_name", sa.String(100), True), ("kind", sa.String(12), False),
        ("country", sa.String(2), True), ("website", sa.String(500), True), ("languages", JSON, False),
        ("timezone", sa.String(64), True), ("host_kind", sa.String(20), True), ("memberships", JSON, False),
        ("parent", sa.String(100), True), ("profile", JSON, False), ("folded_name", sa.String(600), False),
        ("lead", sa.Boolean(), False), ("retired_at", MOMENT, True), ("confirmed_at", MOMENT, True),
        ("created_at", MOMENT, False), ("updated_at", MOMENT, False), ("revision", sa.Integer(), False),
        ("recorded_at", MOMENT, False),
    ),
    "team_facts": (
        ("id", sa.Integer(), False), ("team_id", sa.Integer(), False), ("field", sa.String(40), False),
        ("value", JSON, True), *_PROVENANCE,
    ),
    "addresses": (
        ("id", sa.Integer(), False), ("kind", sa.String(8), False), ("value", sa.String(500), False),
        ("state", sa.String(12), False), ("state_since", MOMENT, True), ("evidence", sa.String(2000), True),
        ("evidence_event", sa.String(36), True), ("reachability", sa.Integer(), True),
        ("version", sa.Integer(), False), ("recorded_at", MOMENT, False),
    ),
    "channels": (
        ("id", sa.Integer(), False), ("team_id", sa.Integer(), False), ("address_id", sa.Integer(), False),
        ("purpose", sa.String(13), False), ("preference", sa.Integer(), False),
        ("audience", sa.String(8), False), ("openpgp_fingerprint", sa.String(64), True),
        ("hours", sa.String(200), True), ("withdrawn", sa.Boolean(), False), *_PROVENANCE,
    ),
    "responsibilities": (
        ("id", sa.Integer(), False), ("team_id", sa.Integer(), False), ("key", sa.String(14), False),
        ("value", sa.String(255), False), ("role", sa.String(11), False), ("rank", sa.Integer(), False),
        ("valid_from", sa.String(10), True), ("valid_to", sa.String(10), True),
        ("withdrawn", sa.Boolean(), False), *_PROVENANCE,
    ),
}  # fmt: skip
INDEXED = {"teams": "slug", "team_facts": "team_id", "channels": "team_id", "responsibilities": "team_id"}
ANSWERS = (
    "notification IS NOT NULL AND (claimed_by = 'recipient' OR type = 'outcome.remediation_observed'"
    " OR type = 'ping.sent')"
)
LONG_AGO = "1970-01-01 00:00:00+00:00"


def upgrade() -> None:
    for name, columns in PAST.items():
        made = (sa.Column(column, kind, nullable=null) for column, kind, null in columns)
        op.create_table(
            f"past_{name}", *made, sa.Column("recorded_to", MOMENT, nullable=False),
            sa.PrimaryKeyConstraint("id", "recorded_at", name=f"pk_past_{name}"),
        )  # fmt: skip
        if name in INDEXED:
            op.create_index(f"ix_past_{name}_{INDEXED[name]}", f"past_{name}", [INDEXED[name]])
    for name, known in BEGAN.items():
        _add(name, "recorded_at", known)
    for name in STATEMENTS:
        _add(name, "since", "recorded_at")
    op.add_column("teams", sa.Column("parent", sa.String(100), nullable=True))
    op.add_column("teams", sa.Column("profile", JSON, nullable=False, server_default="{}"))
    op.create_index("ix_teams_parent", "teams", ["parent"])
    op.add_column("channels", sa.Column("hours", sa.String(200), nullable=True))
    where = sa.text(ANSWERS)
    op.create_index(
        "ix_events_answers",
        "events",
        ["team", "type", "occurred_at"],
        sqlite_where=where,
        postgresql_where=where,
    )
    # What rows said before they were overwritten is in the ledger alone.
    op.add_column("directory_version", sa.Column("kept_from", MOMENT, nullable=True))
    op.execute("UPDATE directory_version SET kept_from = CURRENT_TIMESTAMP")


def _add(table: str, column: str, known: str) -> None:
    op.add_column(table, sa.Column(column, MOMENT, nullable=False, server_default=LONG_AGO))
    op.execute(f"UPDATE {table} SET {column} = {known}")  # noqa: S608 - names of ours


def downgrade() -> None:
    op.drop_index("ix_events_answers", "events")
    op.drop_column("directory_version", "kept_from")
    op.drop_column("channels", "hours")
    op.drop_index("ix_teams_parent", "teams")
    op.drop_column("teams", "profile")
    op.drop_column("teams", "parent")
    for name in STATEMENTS:
        op.drop_column(name, "since")
    for name in BEGAN:
        op.drop_column(name, "recorded_at")
    for name in PAST:
        op.drop_table(f"past_{name}")
