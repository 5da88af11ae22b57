"""Teams, channels and responsibilities, each as one source says it."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, String, Table, UniqueConstraint, false
from sqlalchemy.orm import Mapped, mapped_column, relationship

from pocdir.db import Base, JsonValue, UtcDateTime, table_of
from pocdir.directory.rules import record as rules

HELD_STATES = ("held", "accepted", "refused", "superseded")


def _one_of(column: str, words: tuple[str, ...]) -> CheckConstraint:
    return CheckConstraint(f"{column} IN ({', '.join(repr(word) for word in words)})", name=column)


def _provenance() -> tuple[CheckConstraint, ...]:
    return _one_of("origin", rules.ORIGINS), _one_of("confidence", rules.CONFIDENCES)


class Source(Base):
    """Who says so: a list, a page, a steward."""

    __tablename__ = "sources"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(200), unique=True)
    url: Mapped[str | None] = mapped_column(String(500))
    kind: Mapped[str | None] = mapped_column(String(40))  # first_party, registry, third_party_list, ...
    last_imported_at: Mapped[dt.datetime | None]
    recorded_at: Mapped[dt.datetime]


class Provenance:
    """Source, date of the source, confidence; manual or imported; when we recorded it.

    `recorded_at` is when the row began to stand as it is, `since` when the source first said these words: a
    newer date of the same words begins a row, and leaves `since` as it was.
    """

    source_id: Mapped[int] = mapped_column(ForeignKey("sources.id"))
    as_of: Mapped[str] = mapped_column(String(10), default="")  # ISO date (or year) as the source gives it
    origin: Mapped[str] = mapped_column(String(8))
    confidence: Mapped[str] = mapped_column(String(6), default="medium")
    recorded_at: Mapped[dt.datetime]
    since: Mapped[dt.datetime]


def _created_at(context: Any) -> dt.datetime:
    created: dt.datetime = context.get_current_parameters()["created_at"]
    return created


class Team(Base):
    """A team; its own columns are the facts in force, projected from team_facts.

    What is searched has a column of its own, every other fact that somebody says is in `profile` by its field.
    """

    __tablename__ = "teams"

    id: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(String(100), unique=True)
    name: Mapped[str] = mapped_column(String(300))
    short_name: Mapped[str | None] = mapped_column(String(100))
    kind: Mapped[str] = mapped_column(String(12))
    country: Mapped[str | None] = mapped_column(String(2), index=True)
    website: Mapped[str | None] = mapped_column(String(500))
    languages: Mapped[list[Any]] = mapped_column(default=list)
    timezone: Mapped[str | None] = mapped_column(String(64))
    host_kind: Mapped[str | None] = mapped_column(String(20))
    memberships: Mapped[list[Any]] = mapped_column(default=list)
    parent: Mapped[str | None] = mapped_column(String(100), index=True)  # a slug, whether it is known or not
    profile: Mapped[dict[str, Any]] = mapped_column(default=dict)
    folded_name: Mapped[str] = mapped_column(String(600), index=True)  # of its names and its slug: for search
    lead: Mapped[bool] = mapped_column(default=False)  # nothing but low confidence speaks for it
    # The team that this entry was found to be, never one that is itself part of another; its rows stay its own, and
    # are read as that team's. No foreign key: a backup is read back row by row, whichever comes first.
    merged_into_id: Mapped[int | None] = mapped_column(index=True)
    retired_at: Mapped[dt.datetime | None]
    confirmed_at: Mapped[dt.datetime | None]
    created_at: Mapped[dt.datetime]
    updated_at: Mapped[dt.datetime]
    revision: Mapped[int] = mapped_column(default=1)
    recorded_at: Mapped[dt.datetime] = mapped_column(default=_created_at)  # when the row began to stand so

    channels: Mapped[list[Channel]] = relationship(back_populates="team", order_by="Channel.id")
    responsibilities: Mapped[list[Responsibility]] = relationship(
        back_populates="team", order_by="Responsibility.id"
    )
    facts: Mapped[list[TeamFact]] = relationship(back_populates="team", order_by="TeamFact.id")

    __table_args__ = (_one_of("kind", rules.TEAM_KINDS),)


class TeamFact(Provenance, Base):
    """One field of a team as one source says it."""

    __tablename__ = "team_facts"

    id: Mapped[int] = mapped_column(primary_key=True)
    team_id: Mapped[int] = mapped_column(ForeignKey("teams.id"))
    field: Mapped[str] = mapped_column(String(40))
    value: Mapped[Any] = mapped_column(JsonValue, nullable=True)  # null: a steward says that there is none

    team: Mapped[Team] = relationship(back_populates="facts")
    source: Mapped[Source] = relationship()

    __table_args__ = (UniqueConstraint("team_id", "field", "source_id", "origin"), *_provenance())


class Address(Base):
    """The state of an address, shared by every channel that uses it; it survives imports."""

    __tablename__ = "addresses"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(8))
    value: Mapped[str] = mapped_column(String(500))
    state: Mapped[str] = mapped_column(String(12), default="unverified")
    state_since: Mapped[dt.datetime | None]
    # When its team last said that it is right. Old age and silence do not end that, bouncing and withdrawing do.
    confirmed_at: Mapped[dt.datetime | None]
    evidence: Mapped[str | None] = mapped_column(String(2000))
    evidence_event: Mapped[str | None] = mapped_column(String(36))
    reachability: Mapped[int | None]  # 1 receives ... 5 can resolve
    version: Mapped[int] = mapped_column(default=1)  # raised when the contact changes: old links die
    recorded_at: Mapped[dt.datetime]

    __table_args__ = (
        UniqueConstraint("kind", "value"),
        _one_of("kind", rules.CHANNEL_KINDS),
        _one_of("state", rules.ADDRESS_STATES),
        CheckConstraint("reachability BETWEEN 1 AND 5", name="reachability"),
    )


class Channel(Provenance, Base):
    """One way to reach a team for a purpose, as one source says it."""

    __tablename__ = "channels"

    id: Mapped[int] = mapped_column(primary_key=True)
    team_id: Mapped[int] = mapped_column(ForeignKey("teams.id"))
    address_id: Mapped[int] = mapped_column(ForeignKey("addresses.id"))
    purpose: Mapped[str] = mapped_column(String(13))
    preference: Mapped[int] = mapped_column(default=1)
    audience: Mapped[str] = mapped_column(String(8), default="public")
    openpgp_fingerprint: Mapped[str | None] = mapped_column(String(64))
    hours: Mapped[str | None] = mapped_column(String(200))
    withdrawn: Mapped[bool] = mapped_column(default=False)  # a steward says: not theirs, whoever says so

    team: Mapped[Team] = relationship(back_populates="channels")
    address: Mapped[Address] = relationship()
    source: Mapped[Source] = relationship()

    __table_args__ = (
        UniqueConstraint("team_id", "address_id", "purpose", "source_id", "origin"),
        Index("ix_channels_address_id", "address_id"),
        _one_of("purpose", rules.PURPOSES),
        _one_of("audience", rules.AUDIENCES),
        *_provenance(),
    )


class Responsibility(Provenance, Base):
    """What a team answers for, as one source says it."""

    __tablename__ = "responsibilities"

    id: Mapped[int] = mapped_column(primary_key=True)
    team_id: Mapped[int] = mapped_column(ForeignKey("teams.id"))
    key: Mapped[str] = mapped_column(String(14))
    value: Mapped[str] = mapped_column(String(255))
    role: Mapped[str] = mapped_column(String(11))
    rank: Mapped[int] = mapped_column(default=1)
    valid_from: Mapped[str | None] = mapped_column(String(10))
    valid_to: Mapped[str | None] = mapped_column(String(10))
    withdrawn: Mapped[bool] = mapped_column(default=False)  # a steward says: not theirs, whoever says so

    team: Mapped[Team] = relationship(back_populates="responsibilities")
    source: Mapped[Source] = relationship()

    __table_args__ = (
        UniqueConstraint("team_id", "key", "value", "role", "source_id", "origin"),
        Index("ix_responsibilities_key", "key", "value"),
        _one_of("key", rules.RESPONSIBILITY_KEYS),
        _one_of("role", rules.ROLES),
        *_provenance(),
    )


class Import(Base):
    """One import that changed something, brought something to the quarantine, or could not be read."""

    __tablename__ = "imports"

    id: Mapped[int] = mapped_column(primary_key=True)
    ref: Mapped[str] = mapped_column(String(36), unique=True)
    source_id: Mapped[int] = mapped_column(ForeignKey("sources.id"))
    format: Mapped[str] = mapped_column(String(20))
    at: Mapped[dt.datetime]
    actor: Mapped[str] = mapped_column(String(80))
    added: Mapped[int]
    changed: Mapped[int]
    removed: Mapped[int]
    applied: Mapped[bool]  # nothing of it is held
    reasons: Mapped[list[Any]]  # why it was held, also when it was applied all the same
    held: Mapped[int] = mapped_column(default=0)  # rows that it brought to the quarantine
    digest: Mapped[str | None] = mapped_column(String(71))  # sha256:..., of the bytes that were given
    size: Mapped[int | None]  # of the same

    source: Mapped[Source] = relationship()


class Held(Base):
    """What one source would change of one team, kept whole until a steward decides; of no team: what was not read.

    `changes` lists [key, before, after]; before and after are null or [values, date of the source, confidence].
    """

    __tablename__ = "quarantine"

    id: Mapped[int] = mapped_column(primary_key=True)
    ref: Mapped[str] = mapped_column(String(36), unique=True)
    import_id: Mapped[int] = mapped_column(ForeignKey("imports.id"))
    source_id: Mapped[int] = mapped_column(ForeignKey("sources.id"))
    origin: Mapped[str] = mapped_column(String(8))
    team: Mapped[str | None] = mapped_column(String(100))  # a slug, also of a team that is not there yet
    revision: Mapped[int | None]  # of the team as it stood; null: it was not there
    changes: Mapped[list[Any]]
    digest: Mapped[str] = mapped_column(String(71))  # of the changes: by it the same ones are known again
    reasons: Mapped[list[Any]]  # [{"code", "values"}]: rules/doubts.py
    state: Mapped[str] = mapped_column(String(10), default="held")
    since: Mapped[dt.datetime]
    seen_at: Mapped[dt.datetime]  # when the source said it last
    approvals: Mapped[dict[str, Any]] = mapped_column(
        default=dict
    )  # who accepted before it took effect, when
    delay_told: Mapped[bool] = mapped_column(default=False, server_default=false())  # by the notice
    decided_at: Mapped[dt.datetime | None]
    decided_by: Mapped[str | None] = mapped_column(String(80))
    note: Mapped[str | None] = mapped_column(String(2000))

    source: Mapped[Source] = relationship()

    __table_args__ = (
        _one_of("origin", rules.ORIGINS),
        _one_of("state", HELD_STATES),
        CheckConstraint("(state = 'held') = (decided_at IS NULL)", name="decided_at"),
        Index("ix_quarantine_state", "state", "id"),
        Index("ix_quarantine_import_id", "import_id"),
        Index("ix_quarantine_source_id", "source_id", "origin", "team"),
    )


class Pairing(Base):
    """What stewards said of two entries: that they are one team (`merge`), two again (`split`), or were never one."""

    __tablename__ = "pairings"

    id: Mapped[int] = mapped_column(primary_key=True)
    ref: Mapped[str] = mapped_column(String(36), unique=True)
    what: Mapped[str] = mapped_column(String(5))
    team_id: Mapped[int] = mapped_column(
        ForeignKey("teams.id"), index=True
    )  # the entry that goes into the other
    other_id: Mapped[int] = mapped_column(ForeignKey("teams.id"), index=True)
    reason: Mapped[str] = mapped_column(String(2000))
    state: Mapped[str] = mapped_column(String(7))  # ended: a merge that was split again
    proposed_at: Mapped[dt.datetime]
    approvals: Mapped[dict[str, Any]]  # who agreed (ref of a person, operator) -> when
    delay_told: Mapped[bool] = mapped_column(default=False, server_default=false())  # by the notice
    settled_at: Mapped[dt.datetime | None]
    settled_by: Mapped[str | None] = mapped_column(String(80))

    __table_args__ = (_one_of("what", rules.PAIRED), _one_of("state", rules.PAIRING_STATES))


class Code(Base):
    """What is known of a country code, also when no team is."""

    __tablename__ = "codes"

    code: Mapped[str] = mapped_column(String(2), primary_key=True)
    status: Mapped[str] = mapped_column(String(20))  # contact, known_no_address, none_known
    note: Mapped[str | None] = mapped_column(String(1000))
    source: Mapped[str | None] = mapped_column(String(200))
    as_of: Mapped[str | None] = mapped_column(String(10))


class DirectoryVersion(Base):
    """One row: the number that every change of the directory raises."""

    __tablename__ = "directory_version"

    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int]
    changed_at: Mapped[dt.datetime]
    kept_from: Mapped[dt.datetime | None]  # before it no past row was kept; null: from the first row on

    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)


def _past(model: type[Base], *indexed: str) -> Table:
    """The twin of a table: its rows as they stood before, each until `recorded_to`, without any constraint."""
    table = table_of(model)
    key = ("id", "recorded_at")
    columns = [
        Column(c.name, c.type, primary_key=c.name in key, autoincrement=False, nullable=c.nullable)
        for c in table.columns
    ]
    return Table(
        f"past_{table.name}",
        Base.metadata,
        *columns,
        Column("recorded_to", UtcDateTime, nullable=False),
        *(Index(f"ix_past_{table.name}_{name}", name) for name in indexed),
    )


# By the table's name. What stands is read from the tables alone; what stood at a time from both (queries/past.py).
PAST = {
    table_of(model).name: _past(model, *indexed)
    for model, *indexed in (
        (Source,),
        (Team, "slug"),
        (TeamFact, "team_id"),
        (Address,),
        (Channel, "team_id"),
        (Responsibility, "team_id"),
    )
}
