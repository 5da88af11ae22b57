"""What stood at a time: rows are kept before they change or go, and read back together with those that stand."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection, FromClause, Table, insert, literal, select, union_all, update

from pocdir.db import UtcDateTime, table_of
from pocdir.directory.models import PAST, Address, Channel, Responsibility, Source, Team, TeamFact

BATCH = 500


class Tables(NamedTuple):
    """The directory's tables as they stand, or as they stood at one moment."""

    teams: FromClause
    facts: FromClause
    addresses: FromClause
    channels: FromClause
    responsibilities: FromClause
    sources: FromClause


_STANDING = Tables(*(table_of(model) for model in (Team, TeamFact, Address, Channel, Responsibility, Source)))


def keep(connection: Connection, table: Table, ids: Sequence[int], now: dt.datetime) -> None:
    """End these rows as they stand, and begin their successors at `now`: call it before you change or delete them.

    A row that began at `now` itself never stood for others to read, and leaves nothing behind.
    """
    twin = PAST[table.name]
    columns = [*table.c, literal(now, UtcDateTime())]
    for start in range(0, len(ids), BATCH):
        chosen = table.c.id.in_(ids[start : start + BATCH])
        ending = select(*columns).where(chosen, table.c.recorded_at < now)
        connection.execute(insert(twin).from_select([*table.c.keys(), "recorded_to"], ending))
        connection.execute(update(table).where(chosen).values(recorded_at=now))


def standing(at: dt.datetime | None) -> Tables:
    """The tables as they stand (None), or as they stood at a moment: what was recorded by then."""
    return _STANDING if at is None else Tables(*(_then(table, at) for table in _STANDING))


def _then(table: FromClause, at: dt.datetime) -> FromClause:
    twin = PAST[str(table.description)]
    stands = select(*table.c).where(table.c.recorded_at <= at)
    names = table.c.keys()
    ended = select(*(twin.c[name] for name in names)).where(twin.c.recorded_at <= at, twin.c.recorded_to > at)
    return union_all(stands, ended).subquery(str(table.description))
