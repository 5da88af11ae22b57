"""The outbox: every letter of this service, what became of it, how fast a domain is written to; and what comes in."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import CheckConstraint, Index, LargeBinary, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from pocdir.db import Base
from pocdir.mail.rules.classes import CLASSES

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
    tlp: Mapped[str | None] = mapped_column(String(16))
    # How it may travel (rules.protection); None: in plain text, as every letter about an entry.
    protection: Mapped[str | None] = mapped_column(String(10))
    fingerprint: Mapped[str | None] = mapped_column(String(64))  # of the key that it went encrypted to
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


# What became of a mail that came in. None: the room whose letter it answers has not read it yet.
ACTED, KEPT, WAITS, UNMATCHED, UNREADABLE = RESULTS = (
    "acted",  # it is recorded as what it says
    "kept",  # it changes nothing, and is counted
    "waits",  # a person's words, for a person to read
    "unmatched",  # it answers no letter of ours
    "unreadable",  # reading it met with something unforeseen: set aside, for a person to read
)


class Received(Base):
    """One mail that came in: its bytes as they were, and what was read of them."""

    __tablename__ = "inbox"

    id: Mapped[int] = mapped_column(primary_key=True)
    ref: Mapped[str] = mapped_column(String(36), unique=True)
    digest: Mapped[str] = mapped_column(String(64), unique=True)  # SHA-256 in hex: the same mail is kept once
    raw: Mapped[bytes | None] = mapped_column(LargeBinary)  # None: erased, after its time
    size: Mapped[int]  # bytes that came; more than `raw` holds where it was cut
    received_at: Mapped[dt.datetime]

    sender: Mapped[str | None] = mapped_column(String(254))  # as its From line says: it proves nothing
    subject: Mapped[str | None] = mapped_column(String(300))
    excerpt: Mapped[str | None] = mapped_column(Text)  # the writer's own words, cut
    attachments: Mapped[int]
    mail_class: Mapped[str] = mapped_column(String(12))
    rule: Mapped[str] = mapped_column(String(40))
    word: Mapped[str | None] = mapped_column(String(10))  # on its first line, of rules.first_line

    letter: Mapped[str | None] = mapped_column(String(36))  # the letter of the outbox that it speaks of
    notification: Mapped[str | None] = mapped_column(String(36))  # which its workspace alone reads
    proven: Mapped[bool]  # it bears what only a reader of that letter has
    action: Mapped[str | None] = mapped_column(
        String(10)
    )  # a delivery report's, of that letter's own address
    status: Mapped[str | None] = mapped_column(String(12))
    server: Mapped[str | None] = mapped_column(String(254))

    result: Mapped[str | None] = mapped_column(String(10))
    reason: Mapped[str | None] = mapped_column(String(200))
    event: Mapped[str | None] = mapped_column(String(36))  # what it led to
    seen_at: Mapped[dt.datetime | None]
    seen_by: Mapped[str | None] = mapped_column(String(80))

    __table_args__ = (
        CheckConstraint(f"mail_class IN ({', '.join(map(repr, CLASSES))})", name="mail_class"),
        CheckConstraint(f"result IN ({', '.join(map(repr, RESULTS))})", name="result"),
        Index("ix_inbox_result", "result", "id"),
        Index("ix_inbox_letter", "letter"),
        Index("ix_inbox_notification", "notification", "id"),
        Index(
            "ix_inbox_unread",
            "id",
            sqlite_where=text("result IS NULL"),
            postgresql_where=text("result IS NULL"),
        ),
    )


# What a letter said, and what servers said of it, as it is erased; whom it went to stays.
ERASED = "erased"
UNSAID: dict[str, str | None] = {"subject": ERASED, "body": None, "last_error": None}
# What a mail said, as it is erased.
FORGOTTEN: dict[str, None] = dict.fromkeys(("raw", "sender", "subject", "excerpt"))
