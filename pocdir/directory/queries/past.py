"""The directory's tables as they stood at a moment: the rows that stand, together with those that were kept."""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple

from sqlalchemy import FromClause, select, union_all

from pocdir.db import table_of
from pocdir.directory.models import PAST, Address, Channel, Responsibility, Source, Team, TeamFact


class Tables(NamedTuple):
    """The directory's tables as they stand, or as they stood at one moment."""

    teams: FromClause
    facts: FromClause
    addresses: FromClause
    channels: FromClause
    responsibilities: FromClause
    sources: FromClause


_STANDING = Tables(*(table_of(model) for model in (Team, TeamFact, Address, Channel, Responsibility, Source)))


def standing(at: dt.datetime | None) -> Tables:
    """The tables as they stand (None), or as they stood at a moment: what was recorded by then."""
    return _STANDING if at is None else Tables(*(_then(table, at) for table in _STANDING))


def _then(table: FromClause, at: dt.datetime) -> FromClause:
    twin = PAST[str(table.description)]
    stands = select(*table.c).where(table.c.recorded_at <= at)
    names = table.c.keys()
    ended = select(*(twin.c[name] for name in names)).where(twin.c.recorded_at <= at, twin.c.recorded_to > at)
    return union_all(stands, ended).subquery(str(table.description))
