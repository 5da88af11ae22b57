"""Events, the values they are committed to, and nothing that anybody may update."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from pocdir.db import Base, JsonValue


def _index(name: str, *columns: str, where: str) -> Index:
    return Index(name, *columns, sqlite_where=text(where), postgresql_where=text(where))


# What a team was told and did: few of the events, sought by team.
ANSWERS = (
    "notification IS NOT NULL AND (claimed_by = 'recipient' OR type = 'outcome.remediation_observed'"
    " OR type = 'ping.sent')"
)


class LedgerEvent(Base):
    """One fact; triggers refuse UPDATE, DELETE and TRUNCATE."""

    __tablename__ = "events"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    type: Mapped[str] = mapped_column(String(48))
    v: Mapped[int]
    occurred_at: Mapped[dt.datetime]
    precision: Mapped[str] = mapped_column(String(8))
    recorded_at: Mapped[dt.datetime]
    notification: Mapped[str | None] = mapped_column(String(36))
    incident: Mapped[str | None] = mapped_column(String(36))
    team: Mapped[str | None] = mapped_column(String(100))
    actor: Mapped[str] = mapped_column(String(80))
    claimed_by: Mapped[str] = mapped_column(String(12))
    assurance: Mapped[str | None] = mapped_column(String(2))
    evidence_digest: Mapped[str | None] = mapped_column(String(100))
    payload: Mapped[dict[str, Any]]
    scope: Mapped[str | None] = mapped_column(String(80))
    idempotency_key: Mapped[str | None] = mapped_column(String(200))
    salt: Mapped[bytes] = mapped_column(LargeBinary)
    inner: Mapped[bytes] = mapped_column(LargeBinary)
    leaf: Mapped[bytes] = mapped_column(LargeBinary)

    __table_args__ = (
        UniqueConstraint("scope", "idempotency_key"),
        # One of three for each event: every index is another page in each commit.
        _index("ix_events_notification", "notification", "occurred_at", where="notification IS NOT NULL"),
        _index(
            "ix_events_incident",
            "incident",
            "occurred_at",
            where="notification IS NULL AND incident IS NOT NULL",
        ),
        _index("ix_events_team", "team", "id", where="notification IS NULL AND team IS NOT NULL"),
        _index("ix_events_answers", "team", "type", "occurred_at", where=ANSWERS),
        CheckConstraint("precision IN ('exact', 'minute', 'day', 'bounded')", name="precision"),
        CheckConstraint("(scope IS NULL) = (idempotency_key IS NULL)", name="scoped_key"),
    )


class EventValue(Base):
    """A personal or TLP-bound value beside its salt: erasable, never changeable."""

    __tablename__ = "event_values"

    event: Mapped[str] = mapped_column(ForeignKey("events.id"), primary_key=True)
    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    salt: Mapped[bytes] = mapped_column(LargeBinary)
    value: Mapped[Any] = mapped_column(JsonValue)


class EventReader(Base):
    """Somebody who wants to hear of every new event; while there is none, an event is told to nobody."""

    __tablename__ = "event_readers"

    name: Mapped[str] = mapped_column(String(20), primary_key=True)


class UnreadEvent(Base):
    """An event that readers have not looked at yet: written in its own transaction, gone once they have."""

    __tablename__ = "unread_events"

    event: Mapped[str] = mapped_column(ForeignKey("events.id"), primary_key=True)
