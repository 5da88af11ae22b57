"""Which workspaces may send by this service, and every letter that was sent for a notification."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from pocdir.db import Base


class SendingPermission(Base):
    """What was last decided about a workspace; whoever has no row may not send."""

    __tablename__ = "sending_permissions"

    workspace_id: Mapped[int] = mapped_column(ForeignKey("workspaces.id"), primary_key=True)
    allowed: Mapped[bool]
    decided_at: Mapped[dt.datetime]
    decided_by: Mapped[str] = mapped_column(String(80))
    note: Mapped[str | None] = mapped_column(String(500))


class Sending(Base):
    """One attempt to send a notification's letter; what became of it stands in the outbox, and in the ledger."""

    __tablename__ = "sendings"

    id: Mapped[int] = mapped_column(primary_key=True)
    notification_id: Mapped[int] = mapped_column(ForeignKey("notifications.id"))
    workspace_id: Mapped[int] = mapped_column(ForeignKey("workspaces.id"))
    attempt: Mapped[int]
    mail: Mapped[str | None] = mapped_column(String(36))  # its letter in the outbox; None: it was not queued
    queued_at: Mapped[dt.datetime]
    queued_by: Mapped[str] = mapped_column(String(80))
    plain_text: Mapped[bool]  # its sender has said that it may go in plain text
    problem: Mapped[str | None] = mapped_column(String(500))  # why it was not queued

    __table_args__ = (
        UniqueConstraint("notification_id", "attempt"),
        Index("ix_sendings_workspace_id", "workspace_id", "queued_at"),
        Index("ix_sendings_mail", "mail"),
    )
