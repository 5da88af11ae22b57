"""What a team was asked about its own entry, and what became of it."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from pocdir.db import Base
from pocdir.directory.models import Address, Team
from pocdir.directory.rules import checks


class Check(Base):
    """A team was asked about its own entry: to confirm it, or whether a test reaches somebody."""

    __tablename__ = "checks"

    id: Mapped[int] = mapped_column(primary_key=True)
    ref: Mapped[str] = mapped_column(String(36), unique=True)  # the link's, and its letters' notification
    kind: Mapped[str] = mapped_column(String(12))
    team_id: Mapped[int] = mapped_column(ForeignKey("teams.id"))
    address_id: Mapped[int] = mapped_column(ForeignKey("addresses.id"))
    queued_at: Mapped[dt.datetime]
    sent_at: Mapped[dt.datetime | None]  # its days are counted from here; None: the letter has not left
    reminded_at: Mapped[dt.datetime | None]  # when the reminder was queued
    closed_at: Mapped[dt.datetime | None]
    result: Mapped[str | None] = mapped_column(String(13))
    level: Mapped[int | None]  # of reachability, as the answer said
    # The entry's revision as each letter told it: a word by mail counts for what its letter said. None: not known.
    asked_revision: Mapped[int | None]
    reminded_revision: Mapped[int | None]
    settled_at: Mapped[dt.datetime | None]  # unanswered: when that came to count against the address

    team: Mapped[Team] = relationship()
    address: Mapped[Address] = relationship()

    __table_args__ = (
        CheckConstraint(f"kind IN ({', '.join(map(repr, checks.KINDS))})", name="kind"),
        CheckConstraint(f"result IN ({', '.join(map(repr, checks.RESULTS))})", name="result"),
        CheckConstraint("(closed_at IS NULL) = (result IS NULL)", name="closed"),
        CheckConstraint("level BETWEEN 1 AND 5", name="level"),
        Index("ix_checks_team_id", "team_id", "kind", "queued_at"),
        # One question at a time, however many workers there are.
        Index(
            "uq_checks_open",
            "team_id",
            unique=True,
            sqlite_where=text("closed_at IS NULL"),
            postgresql_where=text("closed_at IS NULL"),
        ),
    )
