"""People, workspaces and the tokens of their programs."""

from __future__ import annotations

import datetime as dt
from typing import Any

from flask_security.models.sqla import FsModels, FsRoleMixin, FsUserMixin, FsWebAuthnMixin
from sqlalchemy import CheckConstraint, ForeignKey, Index, String
from sqlalchemy.ext.mutable import MutableList
from sqlalchemy.orm import Mapped, mapped_column, relationship

from pocdir.accounts import rules
from pocdir.core import clock
from pocdir.db import Base, JsonValue

FsModels.set_db_info(
    base_model=Base,
    user_table_name="users",
    role_table_name="roles",
    webauthn_table_name="webauthn_credentials",
)


def _one_of(column: str, words: tuple[str, ...]) -> CheckConstraint:
    return CheckConstraint(f"{column} IN ({', '.join(repr(word) for word in words)})", name=column)


# Flask-Security's own column types warn (no cache key) and write naive times, hence what is said again below.
def _words() -> Any:
    # A type of its own: every column that shares the instance would take lists alone.
    return mapped_column(MutableList.as_mutable(JsonValue.copy()))


def _changed() -> Any:
    return mapped_column(default=clock.now, onupdate=clock.now)


class Role(FsRoleMixin, Base):
    """What a person may do for the whole service: steward, auditor, admin."""

    __tablename__ = "roles"

    permissions: Mapped[list[str] | None] = _words()
    update_datetime: Mapped[dt.datetime] = _changed()

    __table_args__ = (_one_of("name", rules.SITE_ROLES),)


class User(FsUserMixin, Base):
    """A person who signs in; without a password until the welcome link was used."""

    __tablename__ = "users"

    ref: Mapped[str] = mapped_column(String(36), unique=True)
    mf_recovery_codes: Mapped[list[str] | None] = _words()
    create_datetime: Mapped[dt.datetime]
    update_datetime: Mapped[dt.datetime] = _changed()


class WebAuthn(FsWebAuthnMixin, Base):
    """A security key of a person (Flask-Security's mapping needs the table)."""

    __tablename__ = "webauthn_credentials"

    transports: Mapped[list[str] | None] = _words()
    create_datetime: Mapped[dt.datetime] = mapped_column(default=clock.now)


class Workspace(Base):
    """The group whose members share incidents."""

    __tablename__ = "workspaces"

    id: Mapped[int] = mapped_column(primary_key=True)
    ref: Mapped[str] = mapped_column(String(36), unique=True)
    slug: Mapped[str] = mapped_column(String(60), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    acknowledgement_within: Mapped[str] = mapped_column(String(40), default="P2D")  # ISO 8601
    created_at: Mapped[dt.datetime]


class Membership(Base):
    """A person in a workspace."""

    __tablename__ = "memberships"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True)
    workspace_id: Mapped[int] = mapped_column(ForeignKey("workspaces.id"), primary_key=True, index=True)
    role: Mapped[str] = mapped_column(String(10))
    created_at: Mapped[dt.datetime]

    user: Mapped[User] = relationship()
    workspace: Mapped[Workspace] = relationship()

    __table_args__ = (_one_of("role", rules.WORKSPACE_ROLES),)


class TeamContact(Base):
    """A person who answers for a team: one team a person."""

    __tablename__ = "team_contacts"

    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True)
    team_id: Mapped[int] = mapped_column(ForeignKey("teams.id"), index=True)
    created_at: Mapped[dt.datetime]


class SignIn(Base):
    """A session of a browser: listed on the account's page, ended there or by its time."""

    __tablename__ = "sign_ins"

    id: Mapped[int] = mapped_column(primary_key=True)
    ref: Mapped[str] = mapped_column(String(36), unique=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), index=True)
    workspace_id: Mapped[int | None] = mapped_column(ForeignKey("workspaces.id"))  # the current one
    browser: Mapped[str | None] = mapped_column(String(200))
    started_at: Mapped[dt.datetime]
    expires_at: Mapped[dt.datetime]
    ended_at: Mapped[dt.datetime | None]


class Invitation(Base):
    """A one-time link into a workspace, for whoever it was handed to."""

    __tablename__ = "invitations"

    id: Mapped[int] = mapped_column(primary_key=True)
    ref: Mapped[str] = mapped_column(String(36), unique=True)
    workspace_id: Mapped[int] = mapped_column(ForeignKey("workspaces.id"), index=True)
    role: Mapped[str] = mapped_column(String(10))
    email: Mapped[str] = mapped_column(String(255))  # of a new account; who has one joins with that
    created_by: Mapped[str] = mapped_column(String(80))
    created_at: Mapped[dt.datetime]
    expires_at: Mapped[dt.datetime]
    accepted_at: Mapped[dt.datetime | None]
    accepted_by: Mapped[int | None] = mapped_column(ForeignKey("users.id"))

    workspace: Mapped[Workspace] = relationship()

    __table_args__ = (_one_of("role", rules.WORKSPACE_ROLES),)


class ApiToken(Base):
    """What a program shows instead of a person: kept as a hash, of a workspace or of a team."""

    __tablename__ = "api_tokens"

    id: Mapped[int] = mapped_column(primary_key=True)
    ref: Mapped[str] = mapped_column(String(36), unique=True)
    prefix: Mapped[str] = mapped_column(String(8), unique=True)
    digest: Mapped[str] = mapped_column(String(64))  # SHA-256 of the whole token, hex
    name: Mapped[str] = mapped_column(String(100), default="")
    workspace_id: Mapped[int | None] = mapped_column(ForeignKey("workspaces.id"))
    team_id: Mapped[int | None] = mapped_column(ForeignKey("teams.id"), index=True)
    scopes: Mapped[list[Any]] = mapped_column(default=list)  # empty: all that an owner of the workspace may
    created_by: Mapped[str] = mapped_column(String(80))
    created_at: Mapped[dt.datetime]
    expires_at: Mapped[dt.datetime]
    last_used_at: Mapped[dt.datetime | None]
    revoked_at: Mapped[dt.datetime | None]

    workspace: Mapped[Workspace | None] = relationship()

    __table_args__ = (
        CheckConstraint("workspace_id IS NOT NULL OR team_id IS NOT NULL", name="of_workspace_or_team"),
        Index("ix_api_tokens_workspace_id_id", "workspace_id", "id"),
    )
