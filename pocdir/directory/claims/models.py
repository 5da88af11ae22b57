"""Who asked to be let in as a team's own staff, and how it was proven."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import CheckConstraint, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from pocdir.db import Base
from pocdir.directory.claims import rules
from pocdir.directory.models import Address, Team


class Claim(Base):
    """One link, sent to an address on record or given for a signature; it lets one person in."""

    __tablename__ = "claims"

    id: Mapped[int] = mapped_column(primary_key=True)
    ref: Mapped[str] = mapped_column(String(36), unique=True)
    team_id: Mapped[int] = mapped_column(ForeignKey("teams.id"), index=True)
    method: Mapped[str] = mapped_column(String(4))
    address_id: Mapped[int | None] = mapped_column(ForeignKey("addresses.id"))
    fingerprint: Mapped[str | None] = mapped_column(String(64))
    asked_at: Mapped[dt.datetime]
    expires_at: Mapped[dt.datetime]
    proven_at: Mapped[dt.datetime | None]
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))  # who came in by it

    team: Mapped[Team] = relationship()
    address: Mapped[Address | None] = relationship()

    __table_args__ = (
        CheckConstraint(f"method IN ({', '.join(map(repr, rules.METHODS))})", name="method"),
        CheckConstraint("(method = 'mail') = (address_id IS NOT NULL)", name="address"),
        CheckConstraint("(method = 'key') = (fingerprint IS NOT NULL)", name="key"),
        CheckConstraint("(proven_at IS NULL) = (user_id IS NULL)", name="proven"),
        Index("ix_claims_address_id_asked_at", "address_id", "asked_at"),
    )
