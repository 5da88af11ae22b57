"""The OpenPGP keys of teams."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, false
from sqlalchemy.orm import Mapped, mapped_column, relationship

from pocdir.db import Base
from pocdir.directory.keys.rules import STATES
from pocdir.directory.models import Team


class TeamKey(Base):
    """A public key of a team: proposed, pinned, or what became of it."""

    __tablename__ = "keys"

    id: Mapped[int] = mapped_column(primary_key=True)
    ref: Mapped[str] = mapped_column(String(36), unique=True)
    team_id: Mapped[int] = mapped_column(ForeignKey("teams.id"))
    fingerprint: Mapped[str] = mapped_column(String(64))
    algorithm: Mapped[str] = mapped_column(String(20))
    bits: Mapped[int | None]
    public: Mapped[str] = mapped_column(Text)  # armoured, the least of it that works
    addresses: Mapped[list[Any]]  # of the team's, which it serves
    stated: Mapped[str | None] = mapped_column(String(254))  # the one that a person states, not the key
    evidence: Mapped[str | None] = mapped_column(String(2000))
    actor: Mapped[str] = mapped_column("uploaded_by", String(80))  # who brought it, as the ledger writes it
    # The ref of the person behind it, who is no second pair of eyes; None: a program's.
    person: Mapped[str | None] = mapped_column("proposer", String(36))
    uploaded_at: Mapped[dt.datetime]  # or when it began anew, because its team is another one than before
    signed_at: Mapped[dt.datetime | None]  # its owner's newest signature
    expires_at: Mapped[dt.datetime | None]

    state: Mapped[str] = mapped_column(String(8))
    approvals: Mapped[dict[str, Any]] = mapped_column(default=dict)  # {person: when}
    effective_at: Mapped[
        dt.datetime | None
    ]  # when it is pinned if nobody refuses; None: stewards are missing
    delay_told: Mapped[bool] = mapped_column(default=False, server_default=false())  # by the notice
    pinned_at: Mapped[dt.datetime | None]
    settled_at: Mapped[dt.datetime | None]  # refused, retired or expired
    told_days: Mapped[int | None]  # the last threshold before its end at which the team was told
    note: Mapped[str | None] = mapped_column(String(2000))
    revision: Mapped[int] = mapped_column(default=1)

    team: Mapped[Team] = relationship()

    __table_args__ = (
        CheckConstraint(f"state IN ({', '.join(map(repr, STATES))})", name="state"),
        CheckConstraint("state != 'pinned' OR pinned_at IS NOT NULL", name="pinned_at"),
        Index("ix_keys_team_id", "team_id", "state"),
        Index("ix_keys_expires_at", "state", "expires_at"),
    )
