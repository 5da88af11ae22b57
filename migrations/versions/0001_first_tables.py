"""First tables, and the triggers that keep the ledger append-only."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None

JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")

# table -> statements that are refused there, and what the refusal says
GUARDS = {
    "events": (("UPDATE", "DELETE"), "the ledger is append-only"),
    "event_values": (("UPDATE",), "a value may be erased, never changed"),
}


def upgrade() -> None:
    op.create_table(
        "addresses",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("value", sa.String(length=500), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("state_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("evidence", sa.String(length=2000), nullable=True),
        sa.Column("evidence_event", sa.String(length=36), nullable=True),
        sa.Column("reachability", sa.Integer(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('email', 'phone', 'form', 'api', 'signal', 'matrix', 'postal')",
            name="ck_addresses_kind",
        ),
        sa.CheckConstraint(
            "state IN ('unverified', 'verified', 'due', 'in-check', 'unresponsive', 'bouncing', 'withdrawn')",
            name="ck_addresses_state",
        ),
        sa.CheckConstraint("reachability BETWEEN 1 AND 5", name="ck_addresses_reachability"),
        sa.PrimaryKeyConstraint("id", name="pk_addresses"),
        sa.UniqueConstraint("kind", "value", name="uq_addresses_kind_value"),
    )
    op.create_table(
        "codes",
        sa.Column("code", sa.String(length=2), nullable=False),
        sa.Column("status", sa.String(length=20), nullable=False),
        sa.Column("note", sa.String(length=1000), nullable=True),
        sa.Column("source", sa.String(length=200), nullable=True),
        sa.Column("as_of", sa.String(length=10), nullable=True),
        sa.PrimaryKeyConstraint("code", name="pk_codes"),
    )
    op.create_table(
        "directory_version",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("id = 1", name="ck_directory_version_one_row"),
        sa.PrimaryKeyConstraint("id", name="pk_directory_version"),
    )
    op.create_table(
        "events",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("type", sa.String(length=48), nullable=False),
        sa.Column("v", sa.Integer(), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("precision", sa.String(length=8), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("notification", sa.String(length=36), nullable=True),
        sa.Column("incident", sa.String(length=36), nullable=True),
        sa.Column("team", sa.String(length=100), nullable=True),
        sa.Column("actor", sa.String(length=80), nullable=False),
        sa.Column("claimed_by", sa.String(length=12), nullable=False),
        sa.Column("assurance", sa.String(length=2), nullable=True),
        sa.Column("evidence_digest", sa.String(length=100), nullable=True),
        sa.Column("payload", JSON, nullable=False),
        sa.Column("scope", sa.String(length=80), nullable=True),
        sa.Column("idempotency_key", sa.String(length=200), nullable=True),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        sa.Column("inner", sa.LargeBinary(), nullable=False),
        sa.Column("leaf", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("precision IN ('exact', 'minute', 'day', 'bounded')", name="ck_events_precision"),
        sa.CheckConstraint("(scope IS NULL) = (idempotency_key IS NULL)", name="ck_events_scoped_key"),
        sa.PrimaryKeyConstraint("id", name="pk_events"),
        sa.UniqueConstraint("scope", "idempotency_key", name="uq_events_scope_idempotency_key"),
    )
    op.create_index("ix_events_incident", "events", ["incident", "occurred_at"], unique=False)
    op.create_index("ix_events_notification", "events", ["notification", "occurred_at"], unique=False)
    op.create_index("ix_events_team", "events", ["team", "occurred_at"], unique=False)
    op.create_index("ix_events_type", "events", ["type", "occurred_at"], unique=False)
    op.create_table(
        "idempotency_keys",
        sa.Column("scope", sa.String(length=120), nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("resource", sa.String(length=80), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("scope", "key", name="pk_idempotency_keys"),
    )
    op.create_index("ix_idempotency_keys_created_at", "idempotency_keys", ["created_at"], unique=False)
    op.create_table(
        "rate_limits",
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("expires_at", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_rate_limits"),
    )
    op.create_index("ix_rate_limits_expires_at", "rate_limits", ["expires_at"], unique=False)
    op.create_table(
        "roles",
        sa.Column("permissions", JSON, nullable=True),
        sa.Column("update_datetime", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("description", sa.String(length=255), nullable=True),
        sa.CheckConstraint("name IN ('steward', 'auditor', 'admin')", name="ck_roles_name"),
        sa.PrimaryKeyConstraint("id", name="pk_roles"),
        sa.UniqueConstraint("name", name="uq_roles_name"),
    )
    op.create_table(
        "sources",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("url", sa.String(length=500), nullable=True),
        sa.Column("kind", sa.String(length=40), nullable=True),
        sa.Column("last_imported_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_sources"),
        sa.UniqueConstraint("name", name="uq_sources_name"),
    )
    op.create_table(
        "teams",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("slug", sa.String(length=100), nullable=False),
        sa.Column("name", sa.String(length=300), nullable=False),
        sa.Column("short_name", sa.String(length=100), nullable=True),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("country", sa.String(length=2), nullable=True),
        sa.Column("website", sa.String(length=500), nullable=True),
        sa.Column("languages", JSON, nullable=False),
        sa.Column("timezone", sa.String(length=64), nullable=True),
        sa.Column("host_kind", sa.String(length=20), nullable=True),
        sa.Column("memberships", JSON, nullable=False),
        sa.Column("folded_name", sa.String(length=600), nullable=False),
        sa.Column("lead", sa.Boolean(), nullable=False),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('national', 'governmental', 'sectoral', 'academic', 'provider', 'vendor', 'regional', 'coordinator', 'military', 'other')",
            name="ck_teams_kind",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_teams"),
        sa.UniqueConstraint("slug", name="uq_teams_slug"),
    )
    op.create_index("ix_teams_country", "teams", ["country"], unique=False)
    op.create_index("ix_teams_folded_name", "teams", ["folded_name"], unique=False)
    op.create_table(
        "users",
        sa.Column("ref", sa.String(length=36), nullable=False),
        sa.Column("mf_recovery_codes", JSON, nullable=True),
        sa.Column("update_datetime", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("email", sa.String(length=255), nullable=False),
        sa.Column("username", sa.String(length=255), nullable=True),
        sa.Column("password", sa.String(length=255), nullable=True),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("fs_uniquifier", sa.String(length=64), nullable=False),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_login_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("current_login_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_login_ip", sa.String(length=64), nullable=True),
        sa.Column("current_login_ip", sa.String(length=64), nullable=True),
        sa.Column("login_count", sa.Integer(), nullable=True),
        sa.Column("tf_primary_method", sa.String(length=64), nullable=True),
        sa.Column("tf_totp_secret", sa.String(length=255), nullable=True),
        sa.Column("tf_phone_number", sa.String(length=128), nullable=True),
        sa.Column("us_totp_secrets", sa.Text(), nullable=True),
        sa.Column("us_phone_number", sa.String(length=128), nullable=True),
        sa.Column("fs_webauthn_user_handle", sa.String(length=64), nullable=True),
        sa.Column(
            "create_datetime", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
        sa.UniqueConstraint("email", name="uq_users_email"),
        sa.UniqueConstraint("fs_uniquifier", name="uq_users_fs_uniquifier"),
        sa.UniqueConstraint("fs_webauthn_user_handle", name="uq_users_fs_webauthn_user_handle"),
        sa.UniqueConstraint("ref", name="uq_users_ref"),
        sa.UniqueConstraint("us_phone_number", name="uq_users_us_phone_number"),
        sa.UniqueConstraint("username", name="uq_users_username"),
    )
    op.create_table(
        "worker_ticks",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("last_tick", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_worker_ticks"),
    )
    op.create_table(
        "workspaces",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("ref", sa.String(length=36), nullable=False),
        sa.Column("slug", sa.String(length=60), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("acknowledgement_within", sa.String(length=40), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_workspaces"),
        sa.UniqueConstraint("ref", name="uq_workspaces_ref"),
        sa.UniqueConstraint("slug", name="uq_workspaces_slug"),
    )
    op.create_table(
        "api_tokens",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("ref", sa.String(length=36), nullable=False),
        sa.Column("prefix", sa.String(length=8), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("workspace_id", sa.Integer(), nullable=True),
        sa.Column("team_id", sa.Integer(), nullable=True),
        sa.Column("scopes", JSON, nullable=False),
        sa.Column("created_by", sa.String(length=80), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "workspace_id IS NOT NULL OR team_id IS NOT NULL", name="ck_api_tokens_of_workspace_or_team"
        ),
        sa.ForeignKeyConstraint(["team_id"], ["teams.id"], name="fk_api_tokens_team_id"),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], name="fk_api_tokens_workspace_id"),
        sa.PrimaryKeyConstraint("id", name="pk_api_tokens"),
        sa.UniqueConstraint("prefix", name="uq_api_tokens_prefix"),
        sa.UniqueConstraint("ref", name="uq_api_tokens_ref"),
    )
    op.create_index("ix_api_tokens_team_id", "api_tokens", ["team_id"], unique=False)
    op.create_index("ix_api_tokens_workspace_id_id", "api_tokens", ["workspace_id", "id"], unique=False)
    op.create_table(
        "channels",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("team_id", sa.Integer(), nullable=False),
        sa.Column("address_id", sa.Integer(), nullable=False),
        sa.Column("purpose", sa.String(length=13), nullable=False),
        sa.Column("preference", sa.Integer(), nullable=False),
        sa.Column("audience", sa.String(length=8), nullable=False),
        sa.Column("openpgp_fingerprint", sa.String(length=64), nullable=True),
        sa.Column("withdrawn", sa.Boolean(), nullable=False),
        sa.Column("source_id", sa.Integer(), nullable=False),
        sa.Column("as_of", sa.String(length=10), nullable=False),
        sa.Column("origin", sa.String(length=8), nullable=False),
        sa.Column("confidence", sa.String(length=6), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("audience IN ('public', 'members', 'stewards')", name="ck_channels_audience"),
        sa.CheckConstraint("confidence IN ('high', 'medium', 'low')", name="ck_channels_confidence"),
        sa.CheckConstraint("origin IN ('manual', 'imported')", name="ck_channels_origin"),
        sa.CheckConstraint(
            "purpose IN ('incident', 'vulnerability', 'sample', 'emergency', 'general')",
            name="ck_channels_purpose",
        ),
        sa.ForeignKeyConstraint(["address_id"], ["addresses.id"], name="fk_channels_address_id"),
        sa.ForeignKeyConstraint(["source_id"], ["sources.id"], name="fk_channels_source_id"),
        sa.ForeignKeyConstraint(["team_id"], ["teams.id"], name="fk_channels_team_id"),
        sa.PrimaryKeyConstraint("id", name="pk_channels"),
        sa.UniqueConstraint(
            "team_id",
            "address_id",
            "purpose",
            "source_id",
            "origin",
            name="uq_channels_team_id_address_id_purpose_source_id_origin",
        ),
    )
    op.create_index("ix_channels_address_id", "channels", ["address_id"], unique=False)
    op.create_table(
        "event_values",
        sa.Column("event", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        sa.Column("value", JSON, nullable=False),
        sa.ForeignKeyConstraint(["event"], ["events.id"], name="fk_event_values_event"),
        sa.PrimaryKeyConstraint("event", "name", name="pk_event_values"),
    )
    op.create_table(
        "imports",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("source_id", sa.Integer(), nullable=False),
        sa.Column("format", sa.String(length=20), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.String(length=80), nullable=False),
        sa.Column("added", sa.Integer(), nullable=False),
        sa.Column("changed", sa.Integer(), nullable=False),
        sa.Column("removed", sa.Integer(), nullable=False),
        sa.Column("applied", sa.Boolean(), nullable=False),
        sa.Column("reasons", JSON, nullable=False),
        sa.ForeignKeyConstraint(["source_id"], ["sources.id"], name="fk_imports_source_id"),
        sa.PrimaryKeyConstraint("id", name="pk_imports"),
    )
    op.create_table(
        "incidents",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("ref", sa.String(length=36), nullable=False),
        sa.Column("workspace_id", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("rsit_class", sa.String(length=40), nullable=True),
        sa.Column("rsit_type", sa.String(length=40), nullable=True),
        sa.Column("tlp", sa.String(length=16), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("detected_from", sa.DateTime(timezone=True), nullable=True),
        sa.Column("detected_to", sa.DateTime(timezone=True), nullable=True),
        sa.Column("source_ref", sa.String(length=200), nullable=True),
        sa.Column("people_at_risk", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.String(length=80), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], name="fk_incidents_workspace_id"),
        sa.PrimaryKeyConstraint("id", name="pk_incidents"),
        sa.UniqueConstraint("ref", name="uq_incidents_ref"),
    )
    op.create_index("ix_incidents_workspace_id", "incidents", ["workspace_id", "id"], unique=False)
    op.create_table(
        "invitations",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("ref", sa.String(length=36), nullable=False),
        sa.Column("workspace_id", sa.Integer(), nullable=False),
        sa.Column("role", sa.String(length=10), nullable=False),
        sa.Column("email", sa.String(length=255), nullable=False),
        sa.Column("created_by", sa.String(length=80), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("accepted_by", sa.Integer(), nullable=True),
        sa.CheckConstraint("role IN ('researcher', 'owner')", name="ck_invitations_role"),
        sa.ForeignKeyConstraint(["accepted_by"], ["users.id"], name="fk_invitations_accepted_by"),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], name="fk_invitations_workspace_id"),
        sa.PrimaryKeyConstraint("id", name="pk_invitations"),
        sa.UniqueConstraint("ref", name="uq_invitations_ref"),
    )
    op.create_index("ix_invitations_workspace_id", "invitations", ["workspace_id"], unique=False)
    op.create_table(
        "memberships",
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("workspace_id", sa.Integer(), nullable=False),
        sa.Column("role", sa.String(length=10), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("role IN ('researcher', 'owner')", name="ck_memberships_role"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_memberships_user_id"),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], name="fk_memberships_workspace_id"),
        sa.PrimaryKeyConstraint("user_id", "workspace_id", name="pk_memberships"),
    )
    op.create_index("ix_memberships_workspace_id", "memberships", ["workspace_id"], unique=False)
    op.create_table(
        "responsibilities",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("team_id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=14), nullable=False),
        sa.Column("value", sa.String(length=255), nullable=False),
        sa.Column("role", sa.String(length=11), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("valid_from", sa.String(length=10), nullable=True),
        sa.Column("valid_to", sa.String(length=10), nullable=True),
        sa.Column("withdrawn", sa.Boolean(), nullable=False),
        sa.Column("source_id", sa.Integer(), nullable=False),
        sa.Column("as_of", sa.String(length=10), nullable=False),
        sa.Column("origin", sa.String(length=8), nullable=False),
        sa.Column("confidence", sa.String(length=6), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("confidence IN ('high', 'medium', 'low')", name="ck_responsibilities_confidence"),
        sa.CheckConstraint(
            "key IN ('prefix', 'asn', 'domain', 'country', 'sector', 'country+sector', 'global')",
            name="ck_responsibilities_key",
        ),
        sa.CheckConstraint("origin IN ('manual', 'imported')", name="ck_responsibilities_origin"),
        sa.CheckConstraint(
            "role IN ('holder', 'national', 'sectoral', 'coordinator', 'cc')", name="ck_responsibilities_role"
        ),
        sa.ForeignKeyConstraint(["source_id"], ["sources.id"], name="fk_responsibilities_source_id"),
        sa.ForeignKeyConstraint(["team_id"], ["teams.id"], name="fk_responsibilities_team_id"),
        sa.PrimaryKeyConstraint("id", name="pk_responsibilities"),
        sa.UniqueConstraint(
            "team_id",
            "key",
            "value",
            "role",
            "source_id",
            "origin",
            name="uq_responsibilities_team_id_key_value_role_source_id_origin",
        ),
    )
    op.create_index("ix_responsibilities_key", "responsibilities", ["key", "value"], unique=False)
    op.create_table(
        "roles_users",
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("role_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["role_id"], ["roles.id"], name="fk_roles_users_role_id"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_roles_users_user_id"),
        sa.PrimaryKeyConstraint("user_id", "role_id", name="pk_roles_users"),
    )
    op.create_table(
        "sign_ins",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("ref", sa.String(length=36), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("workspace_id", sa.Integer(), nullable=True),
        sa.Column("browser", sa.String(length=200), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_sign_ins_user_id"),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], name="fk_sign_ins_workspace_id"),
        sa.PrimaryKeyConstraint("id", name="pk_sign_ins"),
        sa.UniqueConstraint("ref", name="uq_sign_ins_ref"),
    )
    op.create_index("ix_sign_ins_user_id", "sign_ins", ["user_id"], unique=False)
    op.create_table(
        "team_contacts",
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("team_id", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["team_id"], ["teams.id"], name="fk_team_contacts_team_id"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_team_contacts_user_id"),
        sa.PrimaryKeyConstraint("user_id", name="pk_team_contacts"),
    )
    op.create_index("ix_team_contacts_team_id", "team_contacts", ["team_id"], unique=False)
    op.create_table(
        "team_facts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("team_id", sa.Integer(), nullable=False),
        sa.Column("field", sa.String(length=40), nullable=False),
        sa.Column("value", JSON, nullable=True),
        sa.Column("source_id", sa.Integer(), nullable=False),
        sa.Column("as_of", sa.String(length=10), nullable=False),
        sa.Column("origin", sa.String(length=8), nullable=False),
        sa.Column("confidence", sa.String(length=6), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("confidence IN ('high', 'medium', 'low')", name="ck_team_facts_confidence"),
        sa.CheckConstraint("origin IN ('manual', 'imported')", name="ck_team_facts_origin"),
        sa.ForeignKeyConstraint(["source_id"], ["sources.id"], name="fk_team_facts_source_id"),
        sa.ForeignKeyConstraint(["team_id"], ["teams.id"], name="fk_team_facts_team_id"),
        sa.PrimaryKeyConstraint("id", name="pk_team_facts"),
        sa.UniqueConstraint(
            "team_id", "field", "source_id", "origin", name="uq_team_facts_team_id_field_source_id_origin"
        ),
    )
    op.create_table(
        "webauthn_credentials",
        sa.Column("transports", JSON, nullable=True),
        sa.Column("create_datetime", sa.DateTime(timezone=True), nullable=False),
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("credential_id", sa.LargeBinary(length=1024), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("sign_count", sa.Integer(), nullable=True),
        sa.Column("backup_state", sa.Boolean(), nullable=False),
        sa.Column("device_type", sa.String(length=64), nullable=False),
        sa.Column("extensions", sa.String(length=255), nullable=True),
        sa.Column("lastuse_datetime", sa.DateTime(timezone=True), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("usage", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_webauthn_credentials_user_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_webauthn_credentials"),
    )
    op.create_index(
        "ix_webauthn_credentials_credential_id", "webauthn_credentials", ["credential_id"], unique=True
    )
    op.create_table(
        "assets",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("incident_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=6), nullable=False),
        sa.Column("value", sa.String(length=2000), nullable=False),
        sa.Column("port", sa.Integer(), nullable=False),
        sa.Column("control", sa.Boolean(), nullable=False),
        sa.Column("first_seen", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_seen", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["incident_id"], ["incidents.id"], name="fk_assets_incident_id"),
        sa.PrimaryKeyConstraint("id", name="pk_assets"),
        sa.UniqueConstraint(
            "incident_id", "kind", "value", "port", name="uq_assets_incident_id_kind_value_port"
        ),
    )
    op.create_table(
        "notifications",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("ref", sa.String(length=36), nullable=False),
        sa.Column("workspace_id", sa.Integer(), nullable=False),
        sa.Column("incident_id", sa.Integer(), nullable=True),
        sa.Column("team_id", sa.Integer(), nullable=False),
        sa.Column("parent_id", sa.Integer(), nullable=True),
        sa.Column("channel_kind", sa.String(length=8), nullable=False),
        sa.Column("channel_value", sa.String(length=500), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("precision", sa.String(length=8), nullable=False),
        sa.Column("subject", sa.String(length=300), nullable=True),
        sa.Column("body", sa.Text(), nullable=True),
        sa.Column("body_digest", sa.String(length=100), nullable=True),
        sa.Column("language", sa.String(length=20), nullable=False),
        sa.Column("tlp", sa.String(length=16), nullable=False),
        sa.Column("assets", JSON, nullable=False),
        sa.Column("answer_asked", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.String(length=80), nullable=False),
        sa.Column("sent_level", sa.String(length=2), nullable=False),
        sa.Column("transport", sa.String(length=16), nullable=False),
        sa.Column("response", sa.String(length=16), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("clock", sa.String(length=16), nullable=False),
        sa.Column("due", sa.DateTime(timezone=True), nullable=True),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["incident_id"], ["incidents.id"], name="fk_notifications_incident_id"),
        sa.ForeignKeyConstraint(["parent_id"], ["notifications.id"], name="fk_notifications_parent_id"),
        sa.ForeignKeyConstraint(["team_id"], ["teams.id"], name="fk_notifications_team_id"),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], name="fk_notifications_workspace_id"),
        sa.PrimaryKeyConstraint("id", name="pk_notifications"),
        sa.UniqueConstraint("ref", name="uq_notifications_ref"),
    )
    op.create_index("ix_notifications_incident_id", "notifications", ["incident_id"], unique=False)
    op.create_index("ix_notifications_team_id", "notifications", ["team_id", "id"], unique=False)
    op.create_index("ix_notifications_workspace_id", "notifications", ["workspace_id", "id"], unique=False)
    op.create_table(
        "expectations",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("notification_id", sa.Integer(), nullable=False),
        sa.Column("of", sa.String(length=16), nullable=False),
        sa.Column("within", sa.String(length=40), nullable=False),
        sa.Column("level", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("lapsed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("stopped_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["notification_id"], ["notifications.id"], name="fk_expectations_notification_id"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_expectations"),
    )
    op.create_index(
        "ix_expectations_due",
        "expectations",
        ["due_at"],
        unique=False,
        sqlite_where=sa.text("state = 'running'"),
        postgresql_where=sa.text("state = 'running'"),
    )
    op.create_index("ix_expectations_notification_id", "expectations", ["notification_id"], unique=False)
    guard()


def guard() -> None:
    """Refuse what would rewrite the record, whoever asks."""
    if op.get_bind().dialect.name == "sqlite":
        for table, (verbs, words) in GUARDS.items():
            for verb in verbs:
                op.execute(
                    f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
                    f"BEGIN SELECT RAISE(ABORT, '{words}'); END"
                )
        return
    op.execute(
        "CREATE FUNCTION refuse_rewrite() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION '%', TG_ARGV[0]; END $$"
    )
    for table, (verbs, words) in GUARDS.items():
        for verb in (*verbs, "TRUNCATE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
                f"FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewrite('{words}')"
            )


def downgrade() -> None:
    op.drop_index("ix_expectations_notification_id", table_name="expectations")
    op.drop_index(
        "ix_expectations_due",
        table_name="expectations",
        sqlite_where=sa.text("state = 'running'"),
        postgresql_where=sa.text("state = 'running'"),
    )
    op.drop_table("expectations")
    op.drop_index("ix_notifications_workspace_id", table_name="notifications")
    op.drop_index("ix_notifications_team_id", table_name="notifications")
    op.drop_index("ix_notifications_incident_id", table_name="notifications")
    op.drop_table("notifications")
    op.drop_table("assets")
    op.drop_index(op.f("ix_webauthn_credentials_credential_id"), table_name="webauthn_credentials")
    op.drop_table("webauthn_credentials")
    op.drop_table("team_facts")
    op.drop_index(op.f("ix_team_contacts_team_id"), table_name="team_contacts")
    op.drop_table("team_contacts")
    op.drop_index(op.f("ix_sign_ins_user_id"), table_name="sign_ins")
    op.drop_table("sign_ins")
    op.drop_table("roles_users")
    op.drop_index("ix_responsibilities_key", table_name="responsibilities")
    op.drop_table("responsibilities")
    op.drop_index(op.f("ix_memberships_workspace_id"), table_name="memberships")
    op.drop_table("memberships")
    op.drop_index(op.f("ix_invitations_workspace_id"), table_name="invitations")
    op.drop_table("invitations")
    op.drop_index("ix_incidents_workspace_id", table_name="incidents")
    op.drop_table("incidents")
    op.drop_table("imports")
    op.drop_table("event_values")
    op.drop_index("ix_channels_address_id", table_name="channels")
    op.drop_table("channels")
    op.drop_index("ix_api_tokens_workspace_id_id", table_name="api_tokens")
    op.drop_index(op.f("ix_api_tokens_team_id"), table_name="api_tokens")
    op.drop_table("api_tokens")
    op.drop_table("workspaces")
    op.drop_table("worker_ticks")
    op.drop_table("users")
    op.drop_index(op.f("ix_teams_folded_name"), table_name="teams")
    op.drop_index(op.f("ix_teams_country"), table_name="teams")
    op.drop_table("teams")
    op.drop_table("sources")
    op.drop_table("roles")
    op.drop_index(op.f("ix_rate_limits_expires_at"), table_name="rate_limits")
    op.drop_table("rate_limits")
    op.drop_index(op.f("ix_idempotency_keys_created_at"), table_name="idempotency_keys")
    op.drop_table("idempotency_keys")
    op.drop_index("ix_events_type", table_name="events")
    op.drop_index("ix_events_team", table_name="events")
    op.drop_index("ix_events_notification", table_name="events")
    op.drop_index("ix_events_incident", table_name="events")
    op.drop_table("events")
    op.drop_table("directory_version")
    op.drop_table("codes")
    op.drop_table("addresses")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION refuse_rewrite()")
