"""The outbox: every letter of this service, what became of it, and how fast a domain is written to."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import CheckConstraint, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from pocdir.db import Base

QUEUED, CLAIMED, SENT, FAILED, DEAD, STALE, WITHDRAWN = STATES = (
    "queued",  # waits for its time, or for a person where no relay is set up
    "claimed",  # a worker is handing it over
    "sent",  # our relay took it, or a person sent it by hand
    "failed",  # refused for good
    "dead",  # given up after the last attempt
    "stale",  # not sent by the time after which it would say something untrue
    "withdrawn",  # a person, or the room that queued it, took it back
)
WAITING = (QUEUED, CLAIMED)
UNSENT = (FAILED, DEAD, STALE)


class Mail(Base):
    """One plain-text letter to one address, with its headers as they will stand."""

    __tablename__ = "outbox"

    id: Mapped[int] = mapped_column(primary_key=True)
    ref: Mapped[str] = mapped_column(String(36), unique=True)
    key: Mapped[str] = mapped_column(String(200), unique=True)  # the same letter is queued once
    kind: Mapped[str] = mapped_column(String(40))
    team: Mapped[str | None] = mapped_column(String(100))  # slug
    notification: Mapped[str | None] = mapped_column(String(36))  # ref
    to: Mapped[str] = mapped_column(String(254))
    domain: Mapped[str] = mapped_column(String(253))
    subject: Mapped[str] = mapped_column(String(300))
    body: Mapped[str | None] = mapped_column(Text)  # None: erased, after its time or once it was sent
    message_id: Mapped[str] = mapped_column(String(300))
    in_reply_to: Mapped[str | None] = mapped_column(String(300))
    sender_name: Mapped[str] = mapped_column(String(200))
    language: Mapped[str | None] = mapped_column(String(20))
    unsubscribe: Mapped[str | None] = mapped_column(String(500))
    automatic: Mapped[bool]
    confidential: Mapped[bool]  # it carries a one-time link: only its reader may see the body

    state: Mapped[str] = mapped_column(String(10))
    attempts: Mapped[int] = mapped_column(default=0)
    next_attempt_at: Mapped[dt.datetime | None]
    lease_until: Mapped[dt.datetime | None]
    expires_at: Mapped[dt.datetime | None]
    last_error: Mapped[str | None] = mapped_column(String(500))
    created_at: Mapped[dt.datetime]
    sent_at: Mapped[dt.datetime | None]
    settled_at: Mapped[dt.datetime | None]
    settled_by: Mapped[str | None] = mapped_column(String(80))  # service, or who acted by hand
    reported_at: Mapped[dt.datetime | None]  # the room that queued it has read what became of it

    __table_args__ = (
        CheckConstraint(f"state IN ({', '.join(map(repr, STATES))})", name="state"),
        CheckConstraint("(state = 'sent') = (sent_at IS NOT NULL)", name="sent_at"),
        CheckConstraint("(state = 'claimed') = (lease_until IS NOT NULL)", name="lease"),
        Index("ix_outbox_next_attempt_at", "state", "next_attempt_at"),
        Index("ix_outbox_reported_at", "kind", "reported_at", "settled_at"),
        Index("ix_outbox_team", "team", "kind", "created_at"),
        Index("ix_outbox_notification", "notification"),
    )


class MailDomain(Base):
    """How soon a recipients' domain is written to again."""

    __tablename__ = "outbox_domains"

    domain: Mapped[str] = mapped_column(String(253), primary_key=True)
    free_at: Mapped[dt.datetime | None]  # of the leaky bucket, see rules.schedule
    paused_until: Mapped[dt.datetime | None]
