"""Every statement of every source, row by row: by source and by team, with what decides whether it is in force."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, Table, select
from sqlalchemy.orm import Session

from pocdir.db import table_of
from pocdir.directory.formats.records import CHANNEL_WORDS, RESPONSIBILITY_WORDS
from pocdir.directory.models import (
    Address,
    Channel,
    Responsibility,
    Source,
    Team,
    TeamFact,
)
from pocdir.directory.rules import record as rules
from pocdir.directory.rules.record import Key, Statement

BATCH = 500
_TEAM, _FACT, _ADDRESS, _CHANNEL, _RESPONSIBILITY, _SOURCE = (
    table_of(model) for model in (Team, TeamFact, Address, Channel, Responsibility, Source)
)
WORDS = {
    "fact": ("value",),
    "channel": ("withdrawn", *CHANNEL_WORDS),
    "responsibility": ("withdrawn", *RESPONSIBILITY_WORDS),
}


class Kept(NamedTuple):
    """A statement that stands in the database, with its row."""

    id: int
    statement: Statement


def said_by(session: Session, source_ids: Sequence[int]) -> dict[tuple[int, str], dict[Key, Kept]]:
    """What these sources say now, by (source, origin)."""
    found: dict[tuple[int, str], dict[Key, Kept]] = {}
    for source_id, origin, key, kept in stored(session.connection(), "source_id", source_ids):
        found.setdefault((source_id, origin), {})[key] = kept
    return found


def told_by(session: Session, source_id: int, origin: str) -> dict[Key, Statement]:
    """What one source says now, without the rows it stands in: half the memory."""
    rows = stored(session.connection(), "source_id", [source_id])
    return {key: kept.statement for _, said, key, kept in rows if said == origin}


def stored(
    connection: Connection, column: str, numbers: Sequence[int]
) -> Iterator[tuple[int, str, Key, Kept]]:
    """(source, origin, key, statement) of the rows whose `column` (team_id, source_id) is one of these numbers."""
    # Most rows say the same words under another key: one object stands for all of them.
    same: dict[Any, Any] = {}
    for kind, table, selected in _stored():
        for some in _batches(numbers):
            for row in connection.execute(selected.where(table.c[column].in_(some))):
                number, source_id, origin, as_of, confidence, *more = row
                words = dict(zip(WORDS[kind], more, strict=False))
                key: Key = (kind, *(same.setdefault(word, word) for word in more[len(words) :]))
                statement = Statement(words, as_of, confidence)
                if key[2] != "name":
                    statement = same.setdefault(statement.text(), statement)
                yield source_id, origin, key, Kept(number, statement)


def _stored() -> Iterator[tuple[str, Table, Any]]:
    """For each kind of statement its table and select: row, source, origin, date, confidence, words, key."""
    parts = {
        "fact": (_FACT, [_FACT.c.field]),
        "channel": (_CHANNEL, [_ADDRESS.c.kind, _ADDRESS.c.value, _CHANNEL.c.purpose]),
        "responsibility": (_RESPONSIBILITY, [_RESPONSIBILITY.c[name] for name in ("key", "value", "role")]),
    }
    for kind, (table, rest) in parts.items():
        words = [table.c[name].label(f"said_{name}") for name in WORDS[kind]]
        provenance = [table.c[name] for name in ("id", "source_id", "origin", "as_of", "confidence")]
        selected = select(*provenance, *words, _TEAM.c.slug, *rest).join(_TEAM, table.c.team_id == _TEAM.c.id)
        yield kind, table, selected.join(_ADDRESS) if kind == "channel" else selected


class Said(NamedTuple):
    """A statement on one team with what decides whether it is in force."""

    key: Key
    statement: Statement
    origin: str
    source: str
    source_kind: str | None
    id: int
    is_own: bool  # not said of an entry that was merged into the team
    entry: str  # the slug of the entry that it is said of

    def order(self) -> tuple[Any, ...]:
        given = self.statement
        first = rules.precedence(self.origin, given.confidence, self.source_kind, given.as_of, self.source)
        return (*first, not self.is_own, self.id)


def said_of(session: Session, team_id: int, slug: str) -> list[Said]:
    """Every statement on one team, whoever makes it; what is said of an entry that is part of it, under its slug."""
    return said_of_teams(session.connection(), {team_id: slug})[slug]


def said_of_teams(connection: Connection, teams: Mapping[int, str]) -> dict[str, list[Said]]:
    """Every statement on each of several teams (row -> slug), by slug; parts as in `said_of`."""
    sources = {
        row.id: row for row in connection.execute(select(_SOURCE.c.id, _SOURCE.c.name, _SOURCE.c.kind))
    }
    found: dict[str, list[Said]] = {slug: [] for slug in teams.values()}
    numbers = list(teams)
    for start in range(0, len(numbers), BATCH):
        some = numbers[start : start + BATCH]
        wholes, entries = _entries(connection, some)
        for source_id, origin, key, kept in stored(connection, "team_id", entries):
            slug = wholes.get(key[1], key[1])
            source, whole = sources[source_id], (key[0], slug, *key[2:])
            found[slug].append(
                Said(whole, kept.statement, origin, source.name, source.kind, kept.id, key[1] == slug, key[1])
            )
    return found


def _entries(connection: Connection, teams: Sequence[int]) -> tuple[dict[str, str], list[int]]:
    """The slug of the team by that of each entry that is part of one of these; the rows of teams and entries."""
    whole = _TEAM.alias("wholes")
    chosen = select(_TEAM.c.id, _TEAM.c.slug, whole.c.slug.label("into"))
    chosen = chosen.join(whole, _TEAM.c.merged_into_id == whole.c.id).where(whole.c.id.in_(teams))
    parts = connection.execute(chosen).all()
    return {row.slug: row.into for row in parts}, [*teams, *(row.id for row in parts)]


def _batches(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(items), BATCH):
        yield items[start : start + BATCH]
