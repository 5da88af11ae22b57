"""What everybody says of one team, with what decides whether it is in force."""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from pocdir.db import table_of
from pocdir.directory.models import Source, Team
from pocdir.directory.rows import stored
from pocdir.directory.rules import record as rules
from pocdir.directory.rules.record import Key, Statement

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

    def order(self) -> tuple[Any, ...]:
        given = self.statement
        first = rules.precedence(self.origin, given.confidence, self.source_kind, given.as_of, self.source)
        return (*first, not self.is_own, self.id)


def said_of(session: Session, team_id: int, slug: str) -> list[Said]:
    """Every statement on one team, whoever makes it; what is said of an entry that is part of it, under its slug."""
    connection = session.connection()
    parts = select(_TEAM.c.id).where(_TEAM.c.merged_into_id == team_id)
    numbers = [team_id, *connection.execute(parts).scalars()]
    sources = {
        row.id: row for row in connection.execute(select(_SOURCE.c.id, _SOURCE.c.name, _SOURCE.c.kind))
    }
    return [
        Said(
            (key[0], slug, *key[2:]),
            kept.statement,
            origin,
            sources[source_id].name,
            sources[source_id].kind,
            kept.id,
            key[1] == slug,
        )
        for source_id, origin, key, kept in stored(connection, "team_id", numbers)
    ]
