"""Changes of an entry that wait for somebody, and who has approved them."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, false
from sqlalchemy.orm import Mapped, mapped_column, relationship

from pocdir.db import Base
from pocdir.directory.models import Team
from pocdir.directory.proposals import rules


class Proposal(Base):
    """What somebody wants to stand in an entry: the changes against what stood when they were last shown."""

    __tablename__ = "proposals"

    id: Mapped[int] = mapped_column(primary_key=True)
    ref: Mapped[str] = mapped_column(String(36), unique=True)
    team_id: Mapped[int] = mapped_column(ForeignKey("teams.id"), index=True)
    by: Mapped[str] = mapped_column(String(7))  # whose word it is: team, steward
    actor: Mapped[str] = mapped_column("proposer", String(80))  # who proposed it, as the ledger writes it
    person: Mapped[str | None] = mapped_column(
        String(36)
    )  # the ref of the person behind it; None: a program's
    changes: Mapped[list[Any]]
    note: Mapped[str | None] = mapped_column(String(2000))
    state: Mapped[str] = mapped_column(String(10))
    revision: Mapped[int] = mapped_column(
        default=1
    )  # raised when it is shown anew: who read it before is stale
    proposed_at: Mapped[dt.datetime]
    noticed_at: Mapped[dt.datetime]  # when the present changes were told; a delay runs from here
    delay_told: Mapped[bool] = mapped_column(
        default=False, server_default=false()
    )  # by the notice: the 72 hours
    due_at: Mapped[dt.datetime | None]  # everybody has approved: it takes effect then
    settled_at: Mapped[dt.datetime | None]
    settled_by: Mapped[str | None] = mapped_column(String(80))
    reason: Mapped[str | None] = mapped_column(String(2000))

    team: Mapped[Team] = relationship()
    approvals: Mapped[list[ProposalApproval]] = relationship(
        cascade="all, delete-orphan", order_by="ProposalApproval.at"
    )

    __table_args__ = (
        CheckConstraint(f"state IN ({', '.join(map(repr, rules.STATES))})", name="state"),
        CheckConstraint(f'"by" IN ({", ".join(map(repr, rules.PROPOSERS))})', name="by"),
        CheckConstraint("(state = 'open') = (settled_at IS NULL)", name="settled"),
        Index("ix_proposals_state_due_at", "state", "due_at"),
    )


class ProposalApproval(Base):
    """A steward who agrees with a proposal as it is now; each person once."""

    __tablename__ = "proposal_approvals"

    proposal_id: Mapped[int] = mapped_column(ForeignKey("proposals.id"), primary_key=True)
    person: Mapped[str] = mapped_column(String(36), primary_key=True)  # a user's ref
    at: Mapped[dt.datetime]
