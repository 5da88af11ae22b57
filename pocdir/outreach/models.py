"""Notifications, what they expect, and the projection of their events."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import ForeignKey, Index, LargeBinary, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from pocdir.core.tlp import strictest
from pocdir.db import Base
from pocdir.incidents.models import Incident


class Notification(Base):
    """One incident, to one team, over one channel; the state columns are a projection of the ledger."""

    __tablename__ = "notifications"

    id: Mapped[int] = mapped_column(primary_key=True)
    ref: Mapped[str] = mapped_column(String(36), unique=True)
    workspace_id: Mapped[int] = mapped_column(ForeignKey("workspaces.id"))
    incident_id: Mapped[int | None] = mapped_column(ForeignKey("incidents.id"))
    team_id: Mapped[int] = mapped_column(ForeignKey("teams.id"))
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("notifications.id"))
    channel_kind: Mapped[str] = mapped_column(String(8))
    channel_value: Mapped[str] = mapped_column(String(500))
    kind: Mapped[str] = mapped_column(String(16))
    sent_at: Mapped[dt.datetime]
    precision: Mapped[str] = mapped_column(String(8), default="exact")
    subject: Mapped[str | None] = mapped_column(String(300))
    body: Mapped[str | None] = mapped_column(Text)
    body_digest: Mapped[str | None] = mapped_column(String(100))
    language: Mapped[str] = mapped_column(String(20), default="en")
    tlp: Mapped[str] = mapped_column(String(16))
    assets: Mapped[list[Any]] = mapped_column(default=list)
    answer_asked: Mapped[bool]
    rules_not_met: Mapped[list[Any]] = mapped_column(
        default=list, server_default="[]"
    )  # of the team's for reports
    created_at: Mapped[dt.datetime]
    created_by: Mapped[str] = mapped_column(String(80))

    # The fold of its events, rebuilt by outreach.actions.project and compared by `pocdir ledger verify`.
    sent_level: Mapped[str] = mapped_column(String(2))
    transport: Mapped[str] = mapped_column(String(16))
    response: Mapped[str] = mapped_column(String(16))
    outcome: Mapped[str] = mapped_column(String(16))
    clock: Mapped[str] = mapped_column(String(16))
    due: Mapped[dt.datetime | None]
    withdrawn_at: Mapped[dt.datetime | None]

    incident: Mapped[Incident | None] = relationship()
    parent: Mapped[Notification | None] = relationship(remote_side="Notification.id")
    expectations: Mapped[list[Expectation]] = relationship(
        back_populates="notification", order_by="Expectation.id"
    )

    @property
    def label(self) -> str:
        """Under which its letter goes now: its own, or that of its incident, which may have been raised since."""
        case = self.case
        return strictest(self.tlp, case.tlp) if case else self.tlp

    @property
    def case(self) -> Incident | None:
        """The incident that it belongs to; where it names none, that of what it follows."""
        found: Notification | None = self
        while found is not None and found.incident is None:
            found = found.parent
        return found.incident if found else None

    @property
    def people_at_risk(self) -> bool:
        """Whether its incident says that people may be."""
        return bool(self.case and self.case.people_at_risk)

    @property
    def told(self) -> set[tuple[str, int | None]]:
        """The addresses that it names: (value, port or None)."""
        return {(it, None) if isinstance(it, str) else (it["value"], it.get("port")) for it in self.assets}

    __table_args__ = (
        Index("ix_notifications_workspace_id", "workspace_id", "id"),
        Index("ix_notifications_team_id", "team_id", "id"),
        Index("ix_notifications_incident_id", "incident_id"),
        Index(
            "ix_notifications_failed",
            "id",
            sqlite_where=text("transport = 'failed'"),
            postgresql_where=text("transport = 'failed'"),
        ),
        Index(
            "ix_notifications_queued",
            "id",
            sqlite_where=text("transport = 'queued'"),
            postgresql_where=text("transport = 'queued'"),
        ),
        Index(
            "ix_notifications_parent_id",
            "parent_id",
            sqlite_where=text("parent_id IS NOT NULL"),
            postgresql_where=text("parent_id IS NOT NULL"),
        ),
    )


class Expectation(Base):
    """Something due by a time; the worker's list of what may fall due (a projection of the ledger too)."""

    __tablename__ = "expectations"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)  # of its expectation.set event
    notification_id: Mapped[int] = mapped_column(ForeignKey("notifications.id"))
    of: Mapped[str] = mapped_column(String(16))
    within: Mapped[str] = mapped_column(String(40))  # ISO 8601
    level: Mapped[int] = mapped_column(default=1)
    due_at: Mapped[dt.datetime]
    state: Mapped[str] = mapped_column(String(10))
    lapsed_at: Mapped[dt.datetime | None]
    stopped_at: Mapped[dt.datetime | None]
    put_off_until: Mapped[dt.datetime | None]  # its lapse could not be written down, and is tried again then

    notification: Mapped[Notification] = relationship(back_populates="expectations")

    __table_args__ = (
        Index("ix_expectations_notification_id", "notification_id"),
        Index(
            "ix_expectations_due",
            "due_at",
            sqlite_where=text("state = 'running'"),
            postgresql_where=text("state = 'running'"),
        ),
    )


class Parcel(Base):
    """A contact's rows of a file that was split: kept with its incident, handed over by a notification."""

    __tablename__ = "parcels"

    id: Mapped[int] = mapped_column(primary_key=True)
    ref: Mapped[str] = mapped_column(String(36), unique=True)
    incident_id: Mapped[int] = mapped_column(ForeignKey("incidents.id"))
    notification_id: Mapped[int | None] = mapped_column(ForeignKey("notifications.id"))
    team: Mapped[str] = mapped_column(String(100))  # slug, as routing said it
    basis: Mapped[dict[str, Any]]
    name: Mapped[str] = mapped_column(String(120))
    rows: Mapped[int]
    size: Mapped[int]  # bytes
    sha256: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[dt.datetime]
    created_by: Mapped[str] = mapped_column(String(80))

    __table_args__ = (
        UniqueConstraint("incident_id", "team", "sha256"),
        Index("ix_parcels_notification_id", "notification_id"),
    )


class ParcelPiece(Base):
    """A part of a parcel's bytes, packed."""

    __tablename__ = "parcel_pieces"

    parcel_id: Mapped[int] = mapped_column(ForeignKey("parcels.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    data: Mapped[bytes] = mapped_column(LargeBinary)


class WorkerTick(Base):
    """When the worker last went round: what /healthz tells."""

    __tablename__ = "worker_ticks"

    id: Mapped[int] = mapped_column(primary_key=True)
    last_tick: Mapped[dt.datetime]
