"""Webhooks, and each message that is to go to one."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from pocdir.db import Base

QUEUED, CLAIMED, SENT, DEAD = STATES = ("queued", "claimed", "sent", "dead")


class Webhook(Base):
    """Where a workspace wants to be told; its secret is derived and stands nowhere."""

    __tablename__ = "webhooks"

    id: Mapped[int] = mapped_column(primary_key=True)
    ref: Mapped[str] = mapped_column(String(36), unique=True)
    workspace_id: Mapped[int] = mapped_column(ForeignKey("workspaces.id"), index=True)
    url: Mapped[str] = mapped_column(String(500))
    types: Mapped[list[Any]]  # none: all
    generation: Mapped[int] = mapped_column(default=1)  # of its secret
    created_at: Mapped[dt.datetime]
    created_by: Mapped[str] = mapped_column(String(80))
    failing_since: Mapped[dt.datetime | None]
    paused_until: Mapped[dt.datetime | None]
    failures: Mapped[int] = mapped_column(default=0)  # one after the other
    disabled_at: Mapped[dt.datetime | None]
    disabled_because: Mapped[str | None] = mapped_column(String(20))  # person, failing, gone


class Delivery(Base):
    """One message to one webhook."""

    __tablename__ = "webhook_deliveries"

    id: Mapped[int] = mapped_column(primary_key=True)
    webhook_id: Mapped[int] = mapped_column(ForeignKey("webhooks.id"))
    event: Mapped[str] = mapped_column(String(36))  # of the ledger; of a test its own reference
    type: Mapped[str] = mapped_column(String(48))
    state: Mapped[str] = mapped_column(String(8))
    attempts: Mapped[int] = mapped_column(default=0)
    next_attempt_at: Mapped[dt.datetime]
    lease_until: Mapped[dt.datetime | None]
    status: Mapped[int | None]  # of the last answer
    error: Mapped[str | None] = mapped_column(String(200))
    created_at: Mapped[dt.datetime]
    settled_at: Mapped[dt.datetime | None]

    webhook: Mapped[Webhook] = relationship()

    __table_args__ = (
        CheckConstraint(f"state IN ({', '.join(map(repr, STATES))})", name="state"),
        UniqueConstraint("webhook_id", "event"),
        Index("ix_webhook_deliveries_state", "state", "next_attempt_at"),
    )
