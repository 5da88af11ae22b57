"""Policies, what was chosen for whom, and where each notification stands on its path."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from pocdir.db import Base


class Policy(Base):
    """One version of a policy: written once, never changed; a change is another version."""

    __tablename__ = "policies"

    id: Mapped[int] = mapped_column(primary_key=True)
    ref: Mapped[str] = mapped_column(String(36), unique=True)
    workspace_id: Mapped[int] = mapped_column(ForeignKey("workspaces.id"))
    slug: Mapped[str] = mapped_column(String(60))
    version: Mapped[int]
    definition: Mapped[dict[str, Any]]
    digest: Mapped[str] = mapped_column(String(71))
    created_at: Mapped[dt.datetime]
    created_by: Mapped[str] = mapped_column(String(80))

    approval: Mapped[PolicyApproval | None] = relationship(viewonly=True)

    __table_args__ = (UniqueConstraint("workspace_id", "slug", "version"),)


class PolicyApproval(Base):
    """A version whose steps may go out by themselves; without a row each is a suggestion."""

    __tablename__ = "policy_approvals"

    policy_id: Mapped[int] = mapped_column(ForeignKey("policies.id"), primary_key=True)
    approved_at: Mapped[dt.datetime]
    approved_by: Mapped[str] = mapped_column(String(80))


class PolicyChoice(Base):
    """Which policy what is logged from now on follows: of a workspace, or of one of its incidents; the last holds."""

    __tablename__ = "policy_choices"

    id: Mapped[int] = mapped_column(primary_key=True)
    workspace_id: Mapped[int] = mapped_column(ForeignKey("workspaces.id"))
    incident_id: Mapped[int | None] = mapped_column(ForeignKey("incidents.id"))
    slug: Mapped[str | None] = mapped_column(String(60))  # null: none
    chosen_at: Mapped[dt.datetime]
    chosen_by: Mapped[str] = mapped_column(String(80))

    __table_args__ = (Index("ix_policy_choices_workspace_id", "workspace_id", "incident_id"),)


class OtherChannel(Base):
    """What followed when a letter of this service came back: another letter to the same team, or why none."""

    __tablename__ = "other_channels"

    notification_id: Mapped[int] = mapped_column(ForeignKey("notifications.id"), primary_key=True)
    decided_at: Mapped[dt.datetime]
    led_to: Mapped[str | None] = mapped_column(String(36))  # the notification over the other channel
    reason: Mapped[str | None] = mapped_column(String(16))


class NotificationPath(Base):
    """The policy that a notification follows, and what the worker last saw of its next step."""

    __tablename__ = "notification_paths"

    notification_id: Mapped[int] = mapped_column(ForeignKey("notifications.id"), primary_key=True)
    policy_id: Mapped[int] = mapped_column(ForeignKey("policies.id"))
    not_before: Mapped[dt.datetime | None]
    look_at: Mapped[dt.datetime | None]  # when the worker has to look again; null: nothing is to come
    state: Mapped[str] = mapped_column(String(10))
    level: Mapped[int | None]
    due_at: Mapped[dt.datetime | None]
    failing_since: Mapped[dt.datetime | None]  # it cannot be worked out; null: it can

    policy: Mapped[Policy] = relationship()

    __table_args__ = (
        Index(
            "ix_notification_paths_look_at",
            "look_at",
            sqlite_where=text("look_at IS NOT NULL"),
            postgresql_where=text("look_at IS NOT NULL"),
        ),
        Index(
            "ix_notification_paths_failing_since",
            "failing_since",
            sqlite_where=text("failing_since IS NOT NULL"),
            postgresql_where=text("failing_since IS NOT NULL"),
        ),
    )
