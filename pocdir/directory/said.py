"""What everybody says of a team, with what decides whether it is in force."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, select
from sqlalchemy.orm import Session

from pocdir.db import table_of
from pocdir.directory.models import Source, Team
from pocdir.directory.rows import stored
from pocdir.directory.rules import record as rules
from pocdir.directory.rules.record import Key, Statement

BATCH = 500
_TEAM, _SOURCE = table_of(Team), table_of(Source)


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
    """The same of several teams (row -> slug), by slug."""
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
    """Of the entries that are part of these teams the teams' slugs by theirs; the rows of all of them."""
    whole = _TEAM.alias("wholes")
    chosen = select(_TEAM.c.id, _TEAM.c.slug, whole.c.slug.label("into"))
    chosen = chosen.join(whole, _TEAM.c.merged_into_id == whole.c.id).where(whole.c.id.in_(teams))
    parts = connection.execute(chosen).all()
    return {row.slug: row.into for row in parts}, [*teams, *(row.id for row in parts)]
