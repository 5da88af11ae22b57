"""What a team has chosen to get from us."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from pocdir.db import Base


class Consent(Base):
    """What a team takes without a person's yes to each letter; a team without a row takes nothing so."""

    __tablename__ = "team_consents"

    team_id: Mapped[int] = mapped_column(ForeignKey("teams.id"), primary_key=True)
    takes: Mapped[list[Any]]  # of TAKES
    chosen_at: Mapped[dt.datetime]
    chosen_by: Mapped[str] = mapped_column(String(80))
    told_at: Mapped[dt.datetime | None]  # when the last step went to it by itself


class Digest(Base):
    """A team's daily mail about what stands open, at its own hour, to an address on record."""

    __tablename__ = "team_digests"

    team_id: Mapped[int] = mapped_column(ForeignKey("teams.id"), primary_key=True)
    hour: Mapped[int]  # of its day, in its own zone
    address: Mapped[str] = mapped_column(String(500))
    told_until: Mapped[dt.datetime]  # what was recorded until then it was told, or has seen at its desk
    look_at: Mapped[dt.datetime]
    sent_at: Mapped[dt.datetime | None]
    chosen_at: Mapped[dt.datetime]
    chosen_by: Mapped[str] = mapped_column(String(80))

    __table_args__ = (
        CheckConstraint("hour >= 0 AND hour <= 23", name="hour"),
        Index("ix_team_digests_look_at", "look_at"),
    )
